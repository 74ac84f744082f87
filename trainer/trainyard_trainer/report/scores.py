"""What the model reached: metrics with their intervals, beside what little effort reaches too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard_trainer.evaluate.names import CLASSIFICATION, maximised
from trainyard_trainer.report import style, words
from trainyard_trainer.report.chart import Chart, Listing, Section, Table
from trainyard_trainer.report.findings import Findings

_LINEAR = {"table": "linear baseline", "text": "TF-IDF baseline", "image": "linear baseline of pixels"}
_UNIT = frozenset({*CLASSIFICATION, "r2"} - {"log_loss"})


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of the judged rows, with its 95 % interval where there is one."""

    metric: str
    value: float
    low: float | None = None
    high: float | None = None


def scores(f: Findings) -> list[Score]:
    """The metrics of the judged part, in the order of the evaluation."""
    found = []
    for name, entry in f.evaluation.get(f.part, {}).items():
        if isinstance(entry, Mapping):
            found.append(Score(name, float(entry["value"]), entry.get("low"), entry.get("high")))
        else:
            found.append(Score(name, float(entry)))
    return found


def baselines(f: Findings) -> dict[str, dict[str, float]]:
    """Metrics of each simple model on the same rows, by what people call it."""
    told: Mapping[str, Mapping[str, float]] = f.evaluation.get("baseline", {})
    return {_name(name, f): dict(values) for name, values in told.items() if values}


def headline(f: Findings) -> Score | None:
    """The metric to judge by: the one that chose the epoch, if the judged rows have it."""
    found = {score.metric: score for score in scores(f)}
    wanted = f.metric.partition("_")[2] if f.metric.startswith(("val_", "test_", "oof_")) else f.metric
    usual = ("roc_auc", "accuracy") if len(f.classes) == 2 else ("accuracy", "rmse")
    for name in (wanted, *usual):
        if name in found:
            return found[name]
    return next(iter(found.values()), None)


def section(f: Findings) -> Section | None:
    """A table of every metric, and a chart of those between 0 and 1."""
    found = scores(f)
    if not found:
        return None
    simple = baselines(f)
    validation = f.evaluation.get("validation", {}) if f.part == "test" else {}
    crossed = f.evaluation.get("oof", {})
    intervals = any(s.low is not None for s in found)
    columns = (
        *("metric", f.part),
        *(["low", "high"] if intervals else []),
        *(["validation"] if validation else []),
        *(["cross-validated"] if crossed else []),
        *simple,
    )
    data: list[list[Any]] = [
        [
            words.metric(s.metric),
            s.value,
            *([s.low, s.high] if intervals else []),
            *([_value(validation.get(s.metric))] if validation else []),
            *([_value(crossed.get(s.metric))] if crossed else []),
            *(values.get(s.metric) for values in simple.values()),
        ]
        for s in found
    ]
    says = "Low and high bound the middle 95 % of bootstrap samples of these rows." if intervals else ""
    table = Listing("metrics", "All metrics", Table(columns, data), shown=len(data), says=says)
    drawn = _chart(found, simple)
    folds = _folds(f)
    return Section("scores", "What it reached", (), [*([drawn] if drawn else []), table, *folds])


def _chart(found: list[Score], simple: Mapping[str, Mapping[str, float]]) -> Chart | None:
    inside = [s for s in found if s.metric in _UNIT and 0.0 <= s.value <= 1.0]
    if len(inside) < 3:
        return None
    labels = [words.metric(s.metric) + ("" if maximised(s.metric) else " (less is better)") for s in inside]
    drawn, axes = style.figure(0.9 + 0.3 * len(inside))
    places = range(len(inside))
    for i, s in enumerate(inside):
        if s.low is not None and s.high is not None:
            axes.plot(
                [s.low, s.high], [i, i], color=style.BLUE, linewidth=5, alpha=0.3, solid_capstyle="butt"
            )
    axes.plot([s.value for s in inside], places, "o", color=style.BLUE, label="this model")
    for (name, values), marker, colour in zip(simple.items(), "dx^", style.SERIES[1:], strict=False):
        told = [(values[s.metric], i) for i, s in enumerate(inside) if values.get(s.metric) is not None]
        axes.plot([v for v, _ in told], [i for _, i in told], marker, color=colour, markersize=5, label=name)
    axes.set_yticks(list(places), labels)
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)
    if simple:
        style.legend(axes, style.legend_columns(["this model", *simple]))
    columns = ("metric", "value", "low", "high", *simple)
    data = [[s.metric, s.value, s.low, s.high, *(v.get(s.metric) for v in simple.values())] for s in inside]
    known = any(s.low is not None for s in inside)
    says = "Dots are this model; the bars behind them are 95 % intervals." if known else ""
    return style.chart(drawn, "metrics_chart", "Metrics between 0 and 1", says, Table(columns, data))


def _folds(f: Findings) -> list[Listing]:
    """Metrics of each fold of a cross-validation."""
    folds = [fold for fold in f.evaluation.get("folds", ()) if isinstance(fold, Mapping)]
    if not folds:
        return []
    rows = [
        {**fold, **fold["metrics"]} if isinstance(fold.get("metrics"), Mapping) else fold for fold in folds
    ]
    names = tuple(
        dict.fromkeys(k for row in rows for k, v in row.items() if not isinstance(v, Mapping | list))
    )
    table = Table(names, [[row.get(name) for name in names] for row in rows])
    return [Listing("folds", "Each fold", table, shown=20, folded=True)]


def _value(entry: Any) -> Any:
    return entry.get("value") if isinstance(entry, Mapping) else entry


def _name(key: str, f: Findings) -> str:
    if key == "majority":
        return "most frequent class" if f.classification else "mean of the training rows"
    return _LINEAR[f.inputs] if key == "baseline" else key
