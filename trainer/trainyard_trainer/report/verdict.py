"""The few sentences a hurried reader takes away."""

from __future__ import annotations

from trainyard_trainer.evaluate.names import maximised
from trainyard_trainer.report import words
from trainyard_trainer.report.chart import Section
from trainyard_trainer.report.findings import Findings
from trainyard_trainer.report.scores import Score, baselines, headline

_FEW = 100
_SEEN = {
    "test": " that it never saw in training",
    "validation": " that also chose its best epoch",
    "training": " that it was trained on",
}
_PHRASES = {
    "most frequent class": "always giving the most frequent class",
    "mean of the training rows": "always giving the mean of the training rows",
}


def section(f: Findings) -> Section:
    """What it reached, whether that beats little effort, and how far the figure can be trusted."""
    sentences = [*_reached(f), *_against(f), *_doubts(f)]
    return Section("verdict", "In short", sentences)


def facts(f: Findings) -> list[tuple[str, str]]:
    """The few numbers for the top of the page, each with its name."""
    found = []
    if (best := headline(f)) is not None:
        found.append((words.metric(best.metric), words.number(best.value)))
        for name, values in baselines(f).items():
            if best.metric in values:
                found.append((name, words.number(values[best.metric])))
    found.append((f"{f.part} rows", words.number(len(f.judged))))
    if f.best_epoch and f.history:
        found.append(("epoch kept", f"{f.best_epoch} of {max(f.history)}"))
    return found


def _reached(f: Findings) -> list[str]:
    best = headline(f)
    rows = words.count(len(f.judged), f"{f.part} row")
    if best is None:
        return [f"The model was looked at on {rows}."]
    said = f"On {rows}{_SEEN[f.part]}, its {words.metric(best.metric)} is {words.number(best.value)}"
    if best.low is not None and best.high is not None:
        said += f" (95 % interval {words.number(best.low)} to {words.number(best.high)})"
    return [said + ".", *_crossed(f, best.metric)]


def _crossed(f: Findings, metric: str) -> list[str]:
    """What cross-validation says of the same metric."""
    found = f.evaluation.get("oof", {}).get(metric)
    if not found:
        return []
    spread = f" ± {words.number(found['std'])} over repeats" if "std" in found else ""
    models = words.count(len(f.evaluation.get("folds", ())), "model")
    value = words.number(found["value"])
    return [f"Cross-validated, by {models} on rows that each had not seen, it is {value}{spread}."]


def _against(f: Findings) -> list[str]:
    """The headline beside each simple model's."""
    best = headline(f)
    if best is None:
        return []
    said = []
    for name, values in baselines(f).items():
        other = values.get(best.metric)
        if other is not None:
            simple = _PHRASES.get(name, f"the {name}")
            said.append(f"{_compared(best, other, len(f.judged))} {simple} ({words.number(other)}).")
    return said


def _compared(best: Score, other: float, rows: int) -> str:
    sign = 1.0 if maximised(best.metric) else -1.0
    better = sign * (best.value - other)
    known = best.low is not None and best.high is not None
    sure = rows >= _FEW and (not known or not (best.low or 0.0) <= other <= (best.high or 0.0))
    if better > 0:
        return "That is clearly better than" if sure else "That is better, though within chance, than"
    if better < 0:
        return "That is worse than" if sure else "That is no better, within chance, than"
    return "That equals"


def _doubts(f: Findings) -> list[str]:
    """What limits the figure."""
    said = []
    if len(f.judged) < _FEW:
        rows = words.count(len(f.judged), "row")
        said.append(f"{rows} is little to judge by: another draw of rows could look quite different.")
    if f.part != "test":
        instead = (
            "the cross-validated figure is the honest one"
            if f.evaluation.get("oof")
            else "set data.split.test"
        )
        said.append(f"There is no test part, so what is said of these rows is too good: {instead}.")
    said += [f"About the data: {notice.rstrip('.')}." for notice in f.notices]
    return said
