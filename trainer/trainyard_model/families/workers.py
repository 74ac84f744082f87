"""Parts of a batch side by side in Python threads: torch lets go of the interpreter's lock in its operators.

Operators on tensors that fit a core's cache gain nothing from threads of their own; whole slices do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Found = TypeVar("Found")


def side_by_side(work: Callable[[Sequence[Item]], Found], items: Sequence[Item], workers: int) -> list[Found]:
    """What `work` makes of consecutive runs of the items, one run for each worker; the caller is the first.

    Torch's modes are a thread's own and are handed over: autocast on the CPU, gradients, inference. Its
    number of threads is not: callers have more than one worker only where that number is 1, and a thread that
    is new takes it over.

    Raises:
        Exception: What `work` raised, once no worker is at it any more.
    """
    workers = max(1, min(workers, len(items)))
    runs = [items[len(items) * w // workers : len(items) * (w + 1) // workers] for w in range(workers)]
    if workers == 1:
        return [work(runs[0])]
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
    autocast, low = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def elsewhere(run: Sequence[Item]) -> Found:
        with (
            torch.inference_mode(inference),
            torch.set_grad_enabled(gradients),
            torch.autocast("cpu", low, enabled=autocast),
        ):
            return work(run)

    pool = _pool(os.getpid(), workers - 1)
    others: list[Future[Found]] = [pool.submit(elsewhere, run) for run in runs[1:]]
    try:
        first = work(runs[0])
    finally:
        wait(others)
    return [first, *(other.result() for other in others)]


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """By process, as a fork takes the pool along but not its threads."""
    return ThreadPoolExecutor(threads, f"rows-{process}")
