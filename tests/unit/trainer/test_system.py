"""System metrics: what the kernel's files mean, and a monitor that outlives its failures."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trainyard_trainer.tracking import system_cgroup
from trainyard_trainer.tracking.system import Sampler, SystemMonitor, parse_network
from trainyard_trainer.tracking.system_cgroup import Limits, Usage, limits, parse_places, since, usage
from trainyard_trainer.tracking.system_facts import cpu_model, hardware
from trainyard_trainer.tracking.system_gpu import Gpus

V2 = {
    "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
    "cpu.stat": "usage_usec 5251834\nuser_usec 4180221\nsystem_usec 1071613\nnr_periods 120\n"
    "nr_throttled 30\n"
    "throttled_usec 2500000\nnr_bursts 0\nburst_usec 0\n",
    "cpu.max": "50000 100000\n",
    "memory.current": "536870912\n",
    "memory.max": "1073741824\n",
    "memory.stat": "anon 268435456\nfile 268435456\ninactive_anon 0\nactive_anon 268435456\n"
    "inactive_file 134217728\nactive_file 134217728\n",
    "memory.events": "low 0\nhigh 0\nmax 41\noom 2\noom_kill 1\noom_group_kill 0\n",
}
V1 = {
    "cpu/cpu.stat": "nr_periods 120\nnr_throttled 30\nthrottled_time 2500000000\nnr_bursts 0\nburst_time 0\n",
    "cpu/cpu.cfs_quota_us": "50000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpuacct/cpuacct.usage": "5251834000\n",
    "memory/memory.usage_in_bytes": "536870912\n",
    "memory/memory.limit_in_bytes": "1073741824\n",
    "memory/memory.stat": "cache 9977856\nrss 17088512\ninactive_file 270336\n"
    "hierarchical_memory_limit 1073741824\n"
    "total_cache 268435456\ntotal_rss 268435456\ntotal_inactive_file 134217728\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
}
READ = Usage(
    cpu_seconds=5.251834,
    periods=120,
    throttled_periods=30,
    throttled_seconds=2.5,
    memory=402653184,
    oom_kills=1,
)


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A process that is at the root of its cgroups, as one in a container sees itself."""
    path = tmp_path / "self"
    path.write_text("4:memory:/\n2:cpuacct:/\n1:cpu:/\n0::/\n")
    return path


@pytest.mark.parametrize("files", [V2, V1], ids=["v2", "v1"])
def test_both_versions_say_the_same(tmp_path: Path, outside: Path, files: Mapping[str, str]) -> None:
    root = write(tmp_path / "cgroup", files)
    found = usage(root, outside)
    assert found.cpu_seconds == pytest.approx(READ.cpu_seconds)
    assert found.throttled_seconds == pytest.approx(READ.throttled_seconds)
    assert (found.periods, found.throttled_periods, found.memory, found.oom_kills) == (
        120,
        30,
        READ.memory,
        1,
    )
    assert limits(root).cpus == pytest.approx(0.5)
    assert limits(root).memory == 2**30


def test_controllers_together_and_below_the_root(tmp_path: Path) -> None:
    mine = tmp_path / "self"
    mine.write_text("5:memory:/pods/a\n4:cpu,cpuacct:/pods/a\n0::/\n")
    moved = {
        f"{'memory' if 'memory' in name else 'cpu,cpuacct'}/pods/a/{name.partition('/')[2]}": content
        for name, content in V1.items()
    }
    found = usage(write(tmp_path / "cgroup", moved), mine)
    assert found.periods == 120
    assert found.memory == READ.memory
    assert found.cpu_seconds == pytest.approx(READ.cpu_seconds)


def test_a_path_that_the_container_does_not_show_is_its_root(tmp_path: Path) -> None:
    mine = tmp_path / "self"
    mine.write_text("0::/kubepods/burstable/pod1\n")
    assert usage(write(tmp_path / "cgroup", V2), mine).periods == 120


def test_without_cgroups_the_process_counts_for_itself(tmp_path: Path) -> None:
    found = usage(tmp_path / "none", tmp_path / "none")
    assert found.periods is None
    assert found.oom_kills is None
    assert found.cpu_seconds == pytest.approx(sum(os.times()[:4]), abs=1.0)
    assert found.memory is not None
    assert found.memory > 1e6


def test_damaged_files_are_nothing_known(tmp_path: Path, outside: Path) -> None:
    files = {
        "cpu.stat": "usage_usec\nnr_periods many\n\n",
        "memory.current": "",
        "memory.events": "oom_kill -1\n",
    }
    root = write(tmp_path / "cgroup", {"cgroup.controllers": "cpu\n", **files})
    found = usage(root, outside)
    assert found.periods is None
    assert found.oom_kills is None
    assert parse_places("nonsense\n\n7\n").get("cpu") is None


def test_utilisation_is_of_the_quota() -> None:
    first = Usage(cpu_seconds=10.0, periods=100, throttled_periods=10, memory=0)
    last = Usage(cpu_seconds=12.0, periods=140, throttled_periods=20, memory=750_000_000)
    found = since(first, last, 10.0, Limits(cpus=0.5, memory=1_000_000_000))
    assert found["cpu_utilization_percentage"] == pytest.approx(40.0)
    assert found["cpu_throttled_percentage"] == pytest.approx(25.0)
    assert found["system_memory_usage_megabytes"] == pytest.approx(750.0)
    assert found["system_memory_usage_percentage"] == pytest.approx(75.0)
    assert since(first, first, 10.0, Limits(1, 1))["cpu_throttled_percentage"] == 0.0


def test_network_leaves_the_loopback_out() -> None:
    text = (
        "Inter-|   Receive                            |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes packets\n"
        "    lo: 15886015329 4299457 0 0 0 0 0 0 15886015329 4299457 0 0 0 0 0 0\n"
        "  eth0: 27706226078 1375589 0 0 0 0 0 0 33225888 342166 0 0 0 0 0 0\n"
        "broken line\n"
    )
    assert parse_network(text) == (27706226078, 33225888)
    assert parse_network("") == (0, 0)


def test_this_machine() -> None:
    sampler = Sampler()
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        sum(range(1000))
    found = sampler.sample()
    assert found["system/cpu_utilization_percentage"] > 0
    assert 0 < found["system/system_memory_usage_percentage"] <= 100
    assert found["system/disk_available_megabytes"] > 0
    assert found["system/network_receive_megabytes"] >= 0
    assert all(name.startswith("system/") and value == value for name, value in found.items())
    assert hardware()["trainyard.cpu"]


def test_counters_are_of_this_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([READ, Usage(throttled_seconds=4.0, oom_kills=3, memory=5)])
    monkeypatch.setattr(system_cgroup, "usage", lambda root: next(readings))
    found = Sampler(tmp_path).sample()
    assert found["system/cpu_throttled_seconds"] == pytest.approx(1.5)
    assert found["system/oom_events"] == 2.0


class Log:
    """Collects what the monitor logs; fails the first time."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.samples = failures, list[Mapping[str, float]]()
        self.twice = threading.Event()

    def __call__(self, metrics: Mapping[str, float], milliseconds: int) -> None:
        assert milliseconds > 1e12
        if self.failures:
            self.failures -= 1
            raise OSError("no")
        self.samples.append(metrics)
        if len(self.samples) > 1:
            self.twice.set()


def test_the_monitor_goes_on_after_a_failure_and_complains_once(caplog: pytest.LogCaptureFixture) -> None:
    log = Log(failures=2)
    monitor = SystemMonitor(log, first=0.01, every=0.01)
    monitor.start()
    assert log.twice.wait(20)
    monitor.stop()
    count = len(log.samples)
    assert not monitor._thread.is_alive()
    assert sum("system metrics" in record.message for record in caplog.records) == 1
    time.sleep(0.05)
    assert len(log.samples) == count


def test_a_short_run_has_one_sample_all_the_same() -> None:
    log = Log()
    monitor = SystemMonitor(log, first=60.0)
    monitor.start()
    time.sleep(0.4)
    monitor.stop()
    assert len(log.samples) == 1


def test_stopping_what_never_ran_or_twice_is_fine() -> None:
    monitor = SystemMonitor(Log())
    monitor.stop()
    monitor.stop()


class Library:
    """NVML's calling convention: 0 is success, answers go where the reference points."""

    def nvmlDeviceGetName(self, device: Any, text: Any, length: int) -> int:  # noqa: N802
        text.value = b"NVIDIA H200"
        return 0

    def nvmlDeviceGetMemoryInfo(self, device: Any, answer: Any) -> int:  # noqa: N802
        answer._obj.total, answer._obj.used = 4_000_000_000, 1_000_000_000
        return 0

    def nvmlDeviceGetUtilizationRates(self, device: Any, answer: Any) -> int:  # noqa: N802
        return 3  # not supported

    def nvmlDeviceGetPowerUsage(self, device: Any, answer: Any) -> int:  # noqa: N802
        answer._obj.value = 350_000
        return 0

    def nvmlDeviceGetEnforcedPowerLimit(self, device: Any, answer: Any) -> int:  # noqa: N802
        answer._obj.value = 700_000
        return 0


def test_gpus_under_mlflow_names() -> None:
    gpus = Gpus(Library(), [ctypes.c_void_p(1)])
    assert gpus.names() == ["NVIDIA H200"]
    assert gpus.metrics() == {
        "gpu_0_memory_usage_megabytes": 1000.0,
        "gpu_0_memory_usage_percentage": 25.0,
        "gpu_0_power_usage_watts": 350.0,
        "gpu_0_power_usage_percentage": 50.0,
    }


def test_cpu_model(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(
        "processor\t: 0\nmodel name\t: AMD EPYC 7B13\n\nprocessor\t: 1\nmodel name\t: AMD EPYC 7B13\n"
    )
    assert cpu_model(path) == "AMD EPYC 7B13"
    assert cpu_model(tmp_path / "none")
