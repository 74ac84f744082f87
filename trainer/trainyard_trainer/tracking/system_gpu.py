"""The GPUs of this pod as NVIDIA's management library sees them.

Asked through the driver's own `libnvidia-ml`, which is there wherever a GPU is, so that no package is needed.
Structures and names are those of NVIDIA's NVML API reference.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

_LIBRARY = "libnvidia-ml.so.1"
_NAME_LENGTH = 96


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Gpus:
    """The library, opened once. `open` gives None where there is no GPU."""

    def __init__(self, library: Any, devices: list[ctypes.c_void_p]) -> None:
        self._library, self._devices = library, devices

    @classmethod
    def open(cls) -> Gpus | None:
        """Load the library and find the devices."""
        try:
            library = ctypes.CDLL(_LIBRARY)
            count = ctypes.c_uint()
            if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
                return None
            devices = []
            for index in range(count.value):
                device = ctypes.c_void_p()
                if not library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)):
                    devices.append(device)
        except (OSError, AttributeError):  # no driver, or one from before these functions
            return None
        return cls(library, devices) if devices else None

    def names(self) -> list[str]:
        """What the devices are called."""
        found = []
        for device in self._devices:
            text = ctypes.create_string_buffer(_NAME_LENGTH)
            if not self._library.nvmlDeviceGetName(device, text, _NAME_LENGTH):
                found.append(text.value.decode(errors="replace"))
        return found

    def metrics(self) -> dict[str, float]:
        """By MLflow's names, without its `system/`; what a device does not tell is left out."""
        found: dict[str, float] = {}
        for i, device in enumerate(self._devices):
            memory, use = _Memory(), _Utilization()
            if self._asked("nvmlDeviceGetMemoryInfo", device, memory) and memory.total:
                found[f"gpu_{i}_memory_usage_megabytes"] = memory.used / 1e6
                found[f"gpu_{i}_memory_usage_percentage"] = 100 * memory.used / memory.total
            if self._asked("nvmlDeviceGetUtilizationRates", device, use):
                found[f"gpu_{i}_utilization_percentage"] = float(use.gpu)
            watts, most = ctypes.c_uint(), ctypes.c_uint()
            if self._asked("nvmlDeviceGetPowerUsage", device, watts):
                found[f"gpu_{i}_power_usage_watts"] = watts.value / 1000
                if self._asked("nvmlDeviceGetEnforcedPowerLimit", device, most) and most.value:
                    found[f"gpu_{i}_power_usage_percentage"] = 100 * watts.value / most.value
        return found

    def _asked(self, function: str, device: ctypes.c_void_p, answer: Any) -> bool:
        """Whether the library answered; the answer is then in place."""
        call: Callable[..., int] = getattr(self._library, function)
        return call(device, ctypes.byref(answer)) == 0
