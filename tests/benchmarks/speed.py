"""Seconds per epoch, per answer and per explanation beside pytorch-tabnet's, on equal work, interleaved.

Equal work: the same rows, batches and virtual batches, ragged last batch dropped, Adam, gradients clipped at
norm 1, running statistics kept, no evaluation set, importance off. Each contestant has the number of threads
it is faster with (the peer by trial, ours by its own rule). Ours starts from raw columns when it answers and
explains: encoding and scaling are in its time; the peer gets a ready matrix.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from tests.benchmarks.cells import Cell
from tests.benchmarks.contestant import COMPILED, OURS, PEER, Contestant
from tests.benchmarks.report import Row, at_least, guarded, not_run, progress, spread

REPEATS = 7
SMALL = (Cell(100_000, 8, 3, 1024, 128), Cell(100_000, 8, 3, 16384, 512))
LARGE = (Cell(20_480, 64, 5, 1024, 128), Cell(32_768, 64, 5, 16384, 512))


def small() -> Iterator[Row]:
    """n_d 8: what most tables need."""
    first, second = SMALL
    yield from _cell(first, 4.0, ("predict", 8.0), ("explain", 5.0), compiled=True, note="goal 5")
    yield from _cell(second, 2.5)
    yield from flat_memory(first)
    yield from gpu()


def large() -> Iterator[Row]:
    """n_d 64 and 5 steps: most of the time is matrix products, which both do alike."""
    first, second = LARGE
    yield from _cell(first, 3.0, ("predict", 4.0), ("explain", 5.0), repeats=5)
    yield from _cell(second, 1.7, repeats=5)


def _cell(
    cell: Cell,
    target: float,
    *answers: tuple[str, float],
    compiled: bool = False,
    repeats: int = REPEATS,
    note: str = "",
) -> Iterator[Row]:
    with ExitStack() as stack:
        both = [stack.enter_context(Contestant(who, cell)) for who in (OURS, PEER)]
        _same_work(both)
        rounds = _interleaved(both, repeats, "epoch", 1)
        yield from _epochs(cell, both, rounds, target, note)
        if compiled:
            yield from guarded(
                f"epoch, {cell.name}, compiled", lambda: _compiled(cell, statistics.median(rounds[PEER][1:]))
            )
        for what, wanted in answers:
            yield _ratio(cell, what, both, wanted)


def _same_work(contestants: Sequence[Contestant]) -> None:
    """Refuse to compare what is not the same."""
    ours, peer = (contestant.facts for contestant in contestants)
    for fact in ("data", "rows"):
        if ours[fact] != peer[fact]:
            raise AssertionError(f"not the same {fact}: {ours[fact]} and {peer[fact]}")


def _epochs(
    cell: Cell, both: Sequence[Contestant], rounds: Mapping[str, list[float]], target: float, note: str
) -> Iterator[Row]:
    ours, peer = rounds[OURS][1:], rounds[PEER][1:]
    threads = [contestant.facts["threads"]["epoch"] for contestant in both]
    rate = cell.whole / statistics.median(ours)
    told = (
        f"ours {spread(ours, 's')}, peer {spread(peer, 's')}; "
        f"{cell.whole:,} rows an epoch, {rate:,.0f} rows/s; threads {threads[0]} and {threads[1]}"
    )
    gain = statistics.median(peer) / statistics.median(ours)
    yield at_least(f"epoch, {cell.name}", gain, "x", target, "; ".join(filter(None, (told, note))))
    per_row = [round(1e6 * statistics.median(values) / cell.whole, 3) for values in (ours, peer)]
    yield Row(f"epoch, {cell.name}, per row", per_row[0], "µs", peer=per_row[1])


def _compiled(cell: Cell, peer: float) -> Iterator[Row]:
    """Ours with training.compile, in its steady state."""
    name = f"epoch, {cell.name}, compiled"
    with Contestant(COMPILED, cell) as contestant:
        first, *steady = (contestant.ask("epoch") for _ in range(5))
        notices = contestant.ask("notices")
    if notices:
        yield not_run(name, "x", "", "; ".join(notices))
        return
    usual = statistics.median(steady)
    note = f"training.compile: {spread(steady, 's')} an epoch after {first - usual:.1f} s of compiling"
    yield Row(name, round(peer / usual, 3), "x", note=note)


def _interleaved(
    contestants: Sequence[Contestant], repeats: int, what: str, warmups: int, *arguments: int
) -> dict[str, list[float]]:
    """Seconds of each, one after the other in every round; the first round is the warm-up."""
    found: dict[str, list[float]] = {contestant.who: [] for contestant in contestants}
    for _ in range(warmups + repeats):
        for contestant in contestants:
            found[contestant.who].append(contestant.ask(what, *arguments))
    return found


def _ratio(cell: Cell, what: str, contestants: Sequence[Contestant], target: float) -> Row:
    rows = min(cell.rows, 20_480)
    found = _interleaved(contestants, 5, what, 1, rows)
    ours, peer = found[OURS][1:], found[PEER][1:]
    note = f"ours {spread(ours, 's')}, peer {spread(peer, 's')}; {rows:,} rows, raw columns in for ours"
    gain = statistics.median(peer) / statistics.median(ours)
    return at_least(f"{what}, n_d {cell.width}, {cell.steps} steps", gain, "x", target, note)


def flat_memory(cell: Cell) -> Iterator[Row]:
    """How much more memory four times as many rows take while they are explained, beside the answer."""
    few, many = 25_000, 100_000
    grown = {}
    for who in (OURS, PEER):
        with Contestant(who, cell) as contestant:
            contestant.ask("explain", few)
            before = contestant.ask("peak")
            contestant.ask("explain", many)
            grown[who] = contestant.ask("peak") - before
    progress(f"    explaining: {grown}")
    answer = (many - few) * 54 * 8 / 2**20
    yield Row(
        f"explain, peak memory from {few:,} to {many:,} rows",
        round(grown[OURS], 1),
        "MB",
        f"<= {3 * answer:.0f}",
        grown[OURS] <= 3 * answer,
        round(grown[PEER], 1),
        f"three times what the answer itself grows ({answer:.0f} MB in float64); the peer gives masks too",
    )


def gpu() -> Iterator[Row]:
    """The rows of a GPU, when there is one."""
    import torch

    if torch.cuda.is_available():
        yield from _cell(SMALL[0], 20.0, note="on a GPU")
        return
    why = "no GPU on this machine"
    yield not_run("epoch on a GPU, n_d 8, 1024/128", "x", ">= 20", why)
    yield not_run("GPU kernel time of wall time, n_d 8, 1024/128", "%", ">= 80", why)
