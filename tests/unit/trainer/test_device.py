"""Threads come from the pod's quota, not from the node's cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from trainyard_model import FAMILIES, Shape
from trainyard_trainer.fit import device
from trainyard_trainer.fit.device import cpu_quota, thread_count


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
    ids=["v2", "v2-none", "v1", "v1-none", "nothing"],
)
def test_quota(files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    assert cpu_quota(write(tmp_path, files)) == quota


def test_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    assert thread_count(write(tmp_path, {"cpu.max": "250000 100000"})) == 3
    (tmp_path / "cpu.max").unlink()
    monkeypatch.setenv("TRAINYARD_CPU_REQUEST_MILLI", "4000")
    assert thread_count(tmp_path) == 4
    monkeypatch.delenv("TRAINYARD_CPU_REQUEST_MILLI")
    assert thread_count(tmp_path) == 64


@pytest.mark.parametrize(
    ("family", "rows", "threads", "workers"),
    [("tabnet", 16_384, 1, 2), ("tabnet", 256, 2, 1), ("mlp", 16_384, 2, 1)],
)
def test_threads_are_for_slices_or_for_operators(
    family: str, rows: int, threads: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "thread_count", lambda: 2)
    made = FAMILIES[family]
    network = made.build(made.config(made.settings(), Shape(54, (), 7)))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        device.share_out(network, rows)
        assert torch.get_num_threads() == threads
        assert getattr(network, "workers", 1) == workers
    finally:
        torch.set_num_threads(before)
