"""Learning curves, and what they say about too little or too much learning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from trainyard_trainer.evaluate.names import maximised
from trainyard_trainer.report import style, words
from trainyard_trainer.report.chart import Chart, Section, Table
from trainyard_trainer.report.findings import Findings, Fraction

_RISE, _GAP, _TAIL, _UNCLEAR = 0.05, 1.5, 0.02, 0.05
_PARTS = {"val": "validation", "test": "test"}


def section(f: Findings) -> Section | None:
    """Loss by epoch, the metric that chose the epoch, and the score against the share of rows."""
    charts: list[Chart] = []
    sentences: list[str] = []
    if f.history:
        sentences += verdict(f.history, f.best_epoch)
        losses = {"train_loss": "training", "val_loss": "validation"}
        charts += _curves(f, losses, "learning_curves", "Loss by epoch", "loss")
        if f.metric and f.metric != "val_loss":
            shown = {f.metric.replace("val_", "train_", 1): "training", f.metric: "validation"}
            title = f"{words.metric(f.metric)} by epoch"
            charts += _curves(f, shown, "metric_curve", title, words.metric(f.metric))
    if len(f.fractions) > 1:
        charts.append(_fractions(f))
        sentences.append(more_rows(f.fractions, f.fraction_metric))
    return Section("learning", "How it learned", sentences, charts) if charts else None


def verdict(history: Mapping[int, Mapping[str, float]], best: int | None) -> list[str]:
    """What the two loss curves say in words.

    Over-fitting: after its lowest point the validation loss rises by more than 5 % while the training loss
    goes on falling. Under-training: the last tenth of the epochs still lowered the validation loss by more
    than 2 % of all that was gained.
    """
    epochs = sorted(history)
    train, val = (_series(history, epochs, name) for name in ("train_loss", "val_loss"))
    chosen = f"The weights of epoch {best} of {epochs[-1]} were kept. " if best else ""
    if len(epochs) < 4 or not (np.isfinite(train).all() and np.isfinite(val).all()):
        return [chosen + "There are too few epochs to tell under-fitting from over-fitting."]
    train, val = _smooth(train), _smooth(val)
    low = int(val.argmin())
    start, bottom, end = float(val[0]), float(val[low]), float(val[-1])
    gained = start - bottom
    tail = max(1, len(epochs) // 10)
    if gained <= 0.01 * abs(start):
        said = (
            "The validation loss hardly fell below its first value: the model learns next to nothing that "
            "holds for other rows. Look at the data's roles and target, or raise the learning rate."
        )
    elif end > bottom + max(_RISE * abs(bottom), 1e-6) and train[-1] < train[low]:
        said = (
            f"It over-fits after epoch {epochs[low]}: the training loss goes on falling while the validation "
            f"loss rises from {words.number(bottom)} to {words.number(end)}. "
        )
        kept_before = best is not None and best <= epochs[low]
        said += (
            "The kept weights are from before that."
            if kept_before
            else "More regularisation or early stopping would help where a low loss matters."
        )
    elif low >= len(epochs) - tail and float(val[-1 - tail] - val[-1]) > _TAIL * gained:
        said = (
            "It had not finished learning: the validation loss was still falling at the end. "
            "More epochs would help."
        )
    elif float(train[low]) > 0 and bottom > _GAP * float(train[low]):
        said = (
            f"It fits its training rows better than others (loss {words.number(float(train[low]))} against "
            f"{words.number(bottom)}): more rows or more regularisation would help more than a larger model."
        )
    else:
        said = "Both losses level off close to each other: no sign of over-fitting or of stopping too early."
    return [chosen + said]


def more_rows(fractions: Sequence[Fraction], metric: str) -> str:
    """Whether more rows would help, from the step between the two largest shares."""
    ordered = sorted(fractions, key=lambda fraction: fraction.rows)
    before, after = ordered[-2], ordered[-1]
    sign = 1.0 if maximised(metric) else -1.0
    step = sign * (after.value - before.value)
    noise = max(_half(before), _half(after))
    name = words.metric(metric)
    judges = _PARTS[metric.partition("_")[0]]
    change = f"From {before.rows:,} to {after.rows:,} training rows {name} on {judges} rows "
    change += f"went from {words.number(before.value)} to {words.number(after.value)}"
    if step > noise and step > 0:
        return change + ": more rows would probably help."
    if noise > _UNCLEAR * abs(after.value):
        return change + ": too few rows judge it to tell whether more training rows would help."
    return change + ", no more than chance explains: more rows of the same kind would change little."


def _half(fraction: Fraction) -> float:
    """Half of its interval; 0 where it has none."""
    if fraction.low is None or fraction.high is None:
        return 0.0
    return (fraction.high - fraction.low) / 2


def _series(history: Mapping[int, Mapping[str, float]], epochs: Sequence[int], name: str) -> np.ndarray:
    return np.array([history[epoch].get(name, math.nan) for epoch in epochs], dtype=np.float64)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Mean over neighbouring epochs, so that one lucky epoch is no lowest point; short curves as they are."""
    wide = len(values) // 12
    if not wide:
        return values
    padded = np.pad(values, wide, mode="edge")
    return np.convolve(padded, np.full(2 * wide + 1, 1.0 / (2 * wide + 1)), mode="valid")


def _curves(f: Findings, names: Mapping[str, str], stem: str, title: str, label: str) -> list[Chart]:
    epochs = sorted(f.history)
    found = {name: _series(f.history, epochs, name) for name in names}
    found = {name: values for name, values in found.items() if np.isfinite(values).any()}
    if not found:
        return []
    drawn, axes = style.figure()
    marker = "o" if len(epochs) < 25 else None
    for (name, values), dashes in zip(found.items(), ("-", "--"), strict=False):
        colour = style.BLUE if names[name] == "training" else style.ORANGE
        axes.plot(epochs, values, dashes, color=colour, marker=marker, markersize=3, label=names[name])
    if f.best_epoch in epochs:
        axes.axvline(f.best_epoch, color=style.MUTED, linewidth=1, linestyle=":", label="kept epoch")
    if all((v[np.isfinite(v)] > 0).all() for v in found.values()) and _spread(list(found.values())) > 100:
        style.logarithmic(axes)
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    style.whole(axes.xaxis)
    style.legend(axes, 3)
    table = Table(("epoch", *found), [[e, *(v[i] for v in found.values())] for i, e in enumerate(epochs)])
    return [style.chart(drawn, stem, title, "", table)]


def _spread(series: Sequence[np.ndarray]) -> float:
    values = np.concatenate([v[np.isfinite(v)] for v in series])
    return float(values.max() / values.min()) if len(values) and values.min() > 0 else 1.0


def _fractions(f: Findings) -> Chart:
    ordered = sorted(f.fractions, key=lambda fraction: fraction.rows)
    rows = [fraction.rows for fraction in ordered]
    drawn, axes = style.figure()
    known = [fraction for fraction in ordered if fraction.low is not None and fraction.high is not None]
    if known:
        lows, highs = [x.low or 0.0 for x in known], [x.high or 0.0 for x in known]
        axes.fill_between([x.rows for x in known], lows, highs, color=style.BLUE, alpha=0.2)
    axes.plot(rows, [fraction.value for fraction in ordered], "o-", color=style.BLUE)
    axes.set_xlabel("training rows")
    axes.set_ylabel(words.metric(f.fraction_metric))
    says = "The same training with fewer rows; the band is the 95 % interval over the rows that judge."
    table = Table(("rows", "value", "low", "high"), [[x.rows, x.value, x.low, x.high] for x in ordered])
    return style.chart(drawn, "training_fractions", "Score by number of training rows", says, table)
