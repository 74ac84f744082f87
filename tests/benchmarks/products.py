"""How much of a training step is matrix products: what is left to win when these are taken as given.

The shapes of all products of one real step, forward and backward, are recorded as torch dispatches them; then
the same products are replayed bare, on tensors of their own. Both on one core.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.benchmarks.cells import Cell
from tests.benchmarks.ours import prepared
from tests.benchmarks.report import Row
from trainyard_trainer.assembly import assemble
from trainyard_trainer.threads import prepare_environment

CELLS = (
    Cell(40_000, 8, 3, 1024, 128),
    Cell(40_000, 8, 3, 16384, 512),
    Cell(16_384, 64, 5, 1024, 128),
    Cell(32_768, 64, 5, 16384, 512),
)
_PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "mv", "addmv"}
_REPEATS = 9


class Recorder(TorchDispatchMode):
    """Keeps operation, shapes and strides of every matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[tuple[torch.Size, tuple[int, ...], torch.dtype]]]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__.rstrip("_")  # addmm_ is addmm in place
        if name in _PRODUCTS:
            tensors = [a for a in args if isinstance(a, Tensor)]
            self.seen.append((name, [(t.shape, t.stride(), t.dtype) for t in tensors]))
        return func(*args, **(kwargs or {}))


def rows() -> Iterator[Row]:
    """Every cell that is timed against the peer."""
    prepare_environment()
    for cell in CELLS:
        step, products, count, operations = _measure(cell)
        yield Row(
            f"matrix products of a step, {cell.name}",
            round(100 * products / step, 1),
            "%",
            note=f"{1e3 * products:.2f} of {1e3 * step:.2f} ms (medians of {_REPEATS}, alternating); "
            f"{count} products, {operations / 1e9:.2f} GFLOP at {operations / products / 1e9:.0f} a second; "
            f"one core; with everything else free a step would be {step / products:.1f}x faster",
        )


def _measure(cell: Cell) -> tuple[float, float, int, float]:
    """Seconds of a step and of its products alone, their number, their floating-point operations."""
    with tempfile.TemporaryDirectory(prefix="trainyard-bench-") as folder:
        job, data = prepared(cell, Path(folder))
        network, fitter = assemble(job, data)
    network.share_out(fitter.batch, 1)  # one core: what other threads do is not recorded
    torch.set_num_threads(1)
    network.train()
    generator = torch.Generator().manual_seed(1)
    batch = fitter.train.gather(torch.randperm(len(fitter.train), generator=generator)[: fitter.batch])

    def step() -> None:
        fitter.stepper(batch, generator)

    step()
    with Recorder() as recorder:
        step()
    replay = _replay(recorder)
    times = _alternating(step, replay)
    return *times, len(recorder.seen), sum(_operations(*seen) for seen in recorder.seen)


def _replay(recorder: Recorder) -> Callable[[], None]:
    """Bare products of the same shapes, strides and types."""
    calls = []
    for name, operands in recorder.seen:
        tensors = [_like(*operand) for operand in operands]
        calls.append((getattr(torch, name), tensors))

    def run() -> None:
        with torch.no_grad():
            for function, tensors in calls:
                function(*tensors)

    return run


def _like(shape: torch.Size, stride: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    size = 1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True)) if 0 not in shape else 0
    return torch.randn(max(size, 1)).to(dtype).as_strided(shape, stride)


def _alternating(*functions: Callable[[], None]) -> tuple[float, float]:
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(_REPEATS + 2):
        for function, found in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            found.append(time.perf_counter() - start)
    first, second = (statistics.median(found[2:]) for found in times)
    return first, second


def _operations(name: str, operands: list[tuple[torch.Size, tuple[int, ...], torch.dtype]]) -> float:
    left, right = operands[-2][0], operands[-1][0]
    columns = right[-1] if len(right) > 1 else 1
    return 2.0 * float(torch.Size(left).numel()) * columns
