"""What differs between runs, and whether their numbers may be compared at all; records in, findings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.local.runs import RunRecord
from trainyard_trainer.evaluate.names import maximised

_PARTS = ("test", "oof", "val")
_BASELINES = ("test_baseline_", "test_majority_")
_VERSIONS = ("trainyard.version", "trainyard.torch", "trainyard.python", "trainyard.device")
_DATA = ("trainyard.dataDigest", "trainyard.holdoutDigest", "trainyard.rows")
_SPLIT = "data.split."
HOLDOUT = "trainyard.holdoutDigest"


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of one run, with its 95 % interval where there is one."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One metric over the runs, in their order.

    `best` is the place of the best run; None where the runs may not be compared, or all are equal. `overlaps`
    are the places whose interval overlaps the best one's.
    """

    name: str
    values: tuple[Measured | None, ...]
    best: int | None = None
    overlaps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side. `parameters`, `data` and `versions` hold only what differs."""

    runs: tuple[RunRecord, ...]
    parameters: dict[str, tuple[str | None, ...]]
    data: dict[str, tuple[str | None, ...]]
    versions: dict[str, tuple[str | None, ...]]
    metrics: tuple[Row, ...]
    deciding: str | None
    warnings: tuple[str, ...]


def compare(runs: Sequence[RunRecord]) -> Comparison:
    """Put two or more runs side by side."""
    parameters = _differing([r.params for r in runs])
    data = _differing([{k: r.tags[k] for k in _DATA if k in r.tags} for r in runs])
    versions = _differing([{k: r.tags[k] for k in _VERSIONS if k in r.tags} for r in runs])
    comparable = {
        "test": HOLDOUT not in data and all(HOLDOUT in r.tags for r in runs),
        "oof": not data and not any(name.startswith(_SPLIT) for name in parameters),
    }
    comparable["val"] = comparable["oof"]
    return Comparison(
        tuple(runs),
        parameters,
        data,
        versions,
        tuple(_row(name, runs, comparable[name.partition("_")[0]]) for name in _names(runs)),
        _deciding(runs),
        tuple(_warnings(runs, data)),
    )


def overlap_note(comparison: Comparison, row: Row) -> str:
    """What may be concluded from a row with a best run, in one sentence."""
    if row.best is None:
        same = len({None if m is None else m.value for m in row.values}) == 1
        return f"{row.name} is equal in all of them" if same else ""
    best = comparison.runs[row.best].short
    if all(m is None or m.interval is None for m in row.values):
        return f"{row.name}: {best} is ahead; without intervals it is not known by more than chance"
    if not row.overlaps:
        return f"{row.name}: {best} is ahead, and no interval overlaps its own"
    others = ", ".join(comparison.runs[i].short for i in row.overlaps)
    return f"{row.name}: {best} is ahead, but its interval overlaps that of {others}: it may be chance"


def _differing(of_runs: Sequence[Any]) -> dict[str, tuple[str | None, ...]]:
    """What is not the same in all of them; None where one has nothing of that name."""
    names = dict.fromkeys(name for one in of_runs for name in one)
    rows = {name: tuple(one.get(name) for one in of_runs) for name in sorted(names)}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def _names(runs: Sequence[RunRecord]) -> list[str]:
    """Metrics of all parts, test first."""
    there = {n for r in runs for n in r.metrics if n.partition("_")[0] in _PARTS and not n.endswith("_std")}
    return sorted(there, key=lambda n: (n.startswith(_BASELINES), _PARTS.index(n.partition("_")[0]), n))


def _row(name: str, runs: Sequence[RunRecord], comparable: bool) -> Row:
    values = tuple(_measured(name, run) for run in runs)
    present = [(i, m.value) for i, m in enumerate(values) if m is not None]
    if not comparable or name.startswith(_BASELINES) or len({value for _, value in present}) < 2:
        return Row(name, values)
    pick = max if maximised(name) else min
    best, _ = pick(present, key=lambda pair: pair[1])
    overlaps = tuple(i for i, m in enumerate(values) if i != best and _overlap(values[best], m))
    return Row(name, values, best, overlaps)


def _measured(name: str, run: RunRecord) -> Measured | None:
    if name not in run.metrics:
        return None
    part, _, metric = name.partition("_")
    found = ((run.evaluation or {}).get(part) or {}).get(metric)
    if not isinstance(found, dict) or found.get("low") is None or found.get("high") is None:
        return Measured(run.metrics[name])
    return Measured(run.metrics[name], (float(found["low"]), float(found["high"])))


def _overlap(one: Measured | None, other: Measured | None) -> bool:
    if one is None or other is None or one.interval is None or other.interval is None:
        return False
    return one.interval[0] <= other.interval[1] and other.interval[0] <= one.interval[1]


def _deciding(runs: Sequence[RunRecord]) -> str | None:
    """The metric that the runs were tuned for, of the test rows where they have it."""
    wanted = {(r.evaluation or {}).get("metric") or r.params.get("training.metric") for r in runs}
    if len(wanted) != 1 or not (name := str(wanted.pop() or "").partition("_")[2]):
        return None
    there = [f"{part}_{name}" for part in _PARTS if any(f"{part}_{name}" in r.metrics for r in runs)]
    return there[0] if there else None


def _warnings(runs: Sequence[RunRecord], data: dict[str, tuple[str | None, ...]]) -> list[str]:
    found = []
    if HOLDOUT in data:
        found.append(
            "test metrics are not comparable: the runs were tested on different rows "
            "(trainyard.holdoutDigest differs), so no best one is marked"
        )
    elif data:
        found.append("the runs were trained on different data, and tested on the same rows")
    unfinished = [r.short for r in runs if r.status != "FINISHED"]
    if unfinished:
        found.append(f"not finished: {', '.join(unfinished)}")
    return found
