"""The device, the number of threads and the numerics of a training."""

from __future__ import annotations

from trainyard_trainer.threads import cpu_quota, prepare_environment, thread_count

__all__ = ["configure", "cpu_quota", "prepare_environment", "thread_count"]
_SMALL = 32_768


def configure(deterministic: bool, step_cells: int) -> str:
    """Set threads and numerics; the name of the device to train on comes back.

    Args:
        deterministic: Bit-identical results on the same device with the same threads.
        step_cells: Rows of a batch times the widest layer; below _SMALL a second thread only costs.
    """
    import torch

    torch.set_num_threads(1 if step_cells < _SMALL else thread_count())
    # What torch.use_deterministic_algorithms does, less telling torch.compile, which imports for seconds.
    torch._C._set_deterministic_algorithms(deterministic, warn_only=False)
    return "cuda" if torch.cuda.is_available() else "cpu"
