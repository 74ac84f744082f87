"""How right the models are, on data whose numbers are known; each figure is a mean over three seeds.

Epochs and thresholds are chosen by validation rows, the settings in manifests/ were chosen by validation
metrics of other seeds; test rows are read once, by the trainer itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from tests.benchmarks import baselines
from tests.benchmarks.report import Row, at_least, not_run
from tests.benchmarks.runs import DATA, NO_DATA, SEEDS, Trained, train

ADULT, HEART = DATA / "adult" / "adult-train.csv", DATA / "heart-disease" / "heart-disease.csv"


def adult() -> Iterator[Row]:
    """Census income, official files."""
    test = ADULT.with_name("adult-test.csv")
    names = ("adult (TabNet), test accuracy", "adult (TabNet), test AUC")
    if not ADULT.exists():
        yield not_run(names[0], "", ">= 0.855", NO_DATA)
        yield not_run(names[1], "", ">= 0.912", NO_DATA)
        return
    runs = [
        train("adult", seed, f"data.source.uri={ADULT}", f"data.split.files.test.uri={test}")
        for seed in SEEDS
    ]
    peer = baselines.gradient_boosting(ADULT, test, "income")
    yield _row(names[0], runs, "test_accuracy", 0.855, peer["accuracy"], "peer: gradient boosting")
    yield _row(names[1], runs, "test_roc_auc", 0.912, peer["roc_auc"], "peer: gradient boosting")
    yield Row(
        "adult, gradient boosting, test accuracy",
        round(peer["accuracy"], 4),
        "",
        note=f"HistGradientBoosting, defaults, {peer['seconds']:.0f} s; AUC {peer['roc_auc']:.4f}",
    )


def samples() -> Iterator[Row]:
    """Small sets that come with scikit-learn: 5 folds, every row judged once."""
    for name, label, metric, limit in (
        ("breast_cancer", "breast cancer (MLP)", "roc_auc", 0.99),
        ("wine", "wine (MLP)", "accuracy", 0.97),
        ("digits", "digits as a table (MLP)", "accuracy", 0.96),
    ):
        runs = [train(name, seed) for seed in SEEDS]
        peer = statistics.mean(baselines.linear(name, seed)[metric] for seed in SEEDS)
        yield _row(
            f"{label}, 5-fold {metric}", runs, f"oof_{metric}", limit, peer, "peer: logistic regression"
        )


def heart() -> Iterator[Row]:
    """Cleveland heart disease, 10 x 5 folds, beside logistic regression on the same folds."""
    name = "heart disease (MLP), 10x5-fold AUC"
    if not HEART.exists():
        yield not_run(name, "", "within .02 of logistic regression", NO_DATA)
        return
    where = f"data.source.uri={HEART}"
    runs = [train("heart", seed, where) for seed in SEEDS]
    peer = statistics.mean(baselines.linear("heart", seed, where)["roc_auc"] for seed in SEEDS)
    yield _row(name, runs, "oof_roc_auc", peer - 0.02, peer, "peer: logistic regression, same folds")


def diabetes() -> Iterator[Row]:
    """Progression of diabetes, 10 x 5 folds, beside ridge regression on the same folds."""
    runs = [train("diabetes", seed) for seed in SEEDS]
    peer = statistics.mean(baselines.linear("diabetes", seed)["r2"] for seed in SEEDS)
    yield _row("diabetes (MLP), 10x5-fold R2", runs, "oof_r2", peer - 0.05, peer, "peer: ridge, same folds")


def _row(name: str, runs: Sequence[Trained], metric: str, limit: float, peer: float | None, note: str) -> Row:
    values = [run[metric] for run in runs]
    seconds = statistics.mean(run.seconds for run in runs)
    told = ", ".join(f"{value:.4f}" for value in values)
    return at_least(
        name,
        statistics.mean(values),
        "",
        round(limit, 4),
        f"{told}; {seconds:.0f} s a run; {note}",
        None if peer is None else round(peer, 4),
    )
