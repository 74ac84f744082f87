"""What the report computes and says, against independent figures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from tests.unit.trainer.findings import classified, history, regressed
from trainyard_trainer.report import (
    Fraction,
    calibration,
    examples,
    features,
    learning,
    residuals,
    verdict,
    words,
)
from trainyard_trainer.report.separation import precision_recall, roc, thin


@pytest.mark.parametrize("digits", [1, 6])
def test_curves_agree_with_scikit_learn(digits: int) -> None:
    random = np.random.default_rng(0)
    scores = np.round(random.random(500), digits)  # with one digit there are many equal scores
    positive = random.random(500) < scores
    assert roc("a", scores, positive).area == pytest.approx(metrics.roc_auc_score(positive, scores))
    found = precision_recall("a", scores, positive)
    assert found.area == pytest.approx(metrics.average_precision_score(positive, scores))
    assert found.x[-1] == 1.0


def test_thinned_curves_keep_their_ends_and_shape() -> None:
    x = np.linspace(0, 1, 10_000)
    few, values = thin(x, x**2)
    assert len(few) <= 202
    assert (few[0], few[-1]) == (0.0, 1.0)
    assert np.abs(np.interp(x, few, values) - x**2).max() < 1e-3
    assert thin(x[:5], x[:5])[0].tolist() == x[:5].tolist()


def test_calibration_bins() -> None:
    random = np.random.default_rng(0)
    said = random.random(4000)
    honest = calibration.bins(said, random.random(4000) < said)
    assert len(honest) == 10
    assert sum(row[2] for row in honest) == 4000
    assert sum(low <= mean <= high for mean, _, _, low, high in honest) >= 8
    few = calibration.bins(np.array([0.7, 0.8]), np.array([True, True]))
    assert [row[2] for row in few] == [2]
    assert few[0][3] < 0.4  # two rows say little
    assert few[0][4] == 1.0


@pytest.mark.parametrize(
    ("sharpen", "word"), [(1.0, "taken at their word"), (3.0, "too sure"), (0.4, "too cautious")]
)
def test_what_calibration_says(sharpen: float, word: str) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 1.5, 6000)
    right = random.random(6000) < 1 / (1 + np.exp(-logits))
    found = classified(2, 10)
    said = calibration.verdict(found, calibration.bins(1 / (1 + np.exp(-sharpen * logits)), right))
    assert word in said


@pytest.mark.parametrize(
    ("curves", "word"),
    [
        (history(30), "no sign of over-fitting"),
        (history(30, rise=0.01, fall=0.002), "over-fits after epoch"),
        (history(30, rise=-0.006), "had not finished"),
        (history(3), "too few epochs"),
        ({e: {"train_loss": 0.69, "val_loss": 0.69} for e in range(1, 20)}, "learns next to nothing"),
        (
            {
                e: {"train_loss": v["train_loss"] - 0.18, "val_loss": v["val_loss"]}
                for e, v in history(30).items()
            },
            "fits its training rows better",
        ),
    ],
)
def test_what_learning_curves_say(curves: dict[int, dict[str, float]], word: str) -> None:
    assert word in learning.verdict(curves, 10)[0]


def test_one_lucky_epoch_is_no_over_fitting() -> None:
    noisy = history(40)
    noisy[30]["val_loss"] -= 0.05
    assert "over-fits" not in learning.verdict(noisy, 30)[0]


def test_whether_more_rows_would_help() -> None:
    better = [Fraction(100, 0.7, 0.68, 0.72), Fraction(400, 0.8, 0.79, 0.81)]
    same = [Fraction(100, 0.8, 0.77, 0.83), Fraction(400, 0.805, 0.78, 0.83)]
    assert "more rows would probably help" in learning.more_rows(better, "test_roc_auc")
    assert "change little" in learning.more_rows(same, "test_roc_auc")
    assert "change little" in learning.more_rows(better, "test_rmse")
    perfect = [Fraction(100, 0.99, 0.97, 1.0), Fraction(400, 1.0, 1.0, 1.0)]
    assert "on validation rows" in learning.more_rows(perfect, "val_roc_auc")
    assert "change little" in learning.more_rows(perfect, "val_roc_auc")
    few = [Fraction(10, 0.7, 0.5, 0.9), Fraction(40, 0.75, 0.55, 0.95)]
    assert "too few rows judge it" in learning.more_rows(few, "val_accuracy")


def test_the_verdict_weighs_against_the_baseline() -> None:
    said = " ".join(verdict.section(classified(3, 500)).sentences)
    assert "500 test rows" in said
    assert "95 % interval" in said
    assert "clearly better than the linear baseline" in said
    assert "always giving the most frequent class" in said
    crossed = classified(3, 50, part="validation")
    crossed.evaluation["oof"] = {"accuracy": {"value": 0.61, "std": 0.02}}  # type: ignore[index]
    crossed.evaluation["folds"] = [{}, {}, {}]  # type: ignore[index]
    told = " ".join(verdict.section(crossed).sentences)
    assert "Cross-validated, by 3 models on rows that each had not seen, it is 0.61 ± 0.02" in told
    assert "the cross-validated figure is the honest one" in told
    few = " ".join(verdict.section(classified(3, 20)).sentences)
    assert "clearly" not in few
    assert "little to judge by" in few


def test_surest_mistakes_of_each_kind_come_first() -> None:
    found = classified(3, 600)
    section = examples.section(found)
    assert section is not None
    table = next(block.table for block in section.blocks if block.name == "misclassified")
    kinds = [(row[1], row[2]) for row in table.data]
    count = len(set(kinds))
    assert count == 6
    assert len(set(kinds[:count])) == count
    numbers = {int(n) for n in found.judged.numbers[found.predicted != found.judged.target]}
    assert {row[0] for row in table.data} <= numbers
    worst = next(block.table for block in section.blocks if block.name == "highest_loss")
    losses = [row[worst.columns.index("loss")] for row in worst.data]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(found.loss.max())


def test_categories_keep_the_frequent_ones() -> None:
    values = np.array(["a"] * 5 + ["b"] * 3 + [None] * 2 + list("cdefghij"), dtype=object)
    groups = features.categories(values, 4)
    assert groups.names == ("a", "b", "(missing)", "8 more")
    assert np.bincount(groups.of).tolist() == [5, 3, 2, 8]
    assert features.categories(values, 20).others is False


def test_bins_of_few_values_stand_around_them() -> None:
    assert features.edges(np.array([1.0, 2.0, 2.0, 4.0])).tolist() == [0.5, 1.5, 3.0, 5.0]
    wide = np.concatenate([np.linspace(0, 1, 1000), [1e9]])
    assert features.edges(wide)[-1] < 2


def test_residuals_say_what_is_systematic() -> None:
    found = residuals.section(regressed(2, 200))
    assert found is not None
    assert "too high on average" not in found.sentences[0]
    assert "too high on average" in found.sentences[1]
    truth = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    explained = residuals.r_squared(truth, truth + 0.1)
    assert explained[0] == pytest.approx(metrics.r2_score(truth[:, 0], truth[:, 0] + 0.1))
    assert np.isnan(explained[1])


def test_many_rows_are_sampled_and_it_is_said() -> None:
    found, sentence = classified(2, 3000).sampled(100)
    assert len(found.judged) == len(found.columns["kind 0"]) == 100
    assert sentence == "Drawn from 100 of 3,000 test rows, taken at random."
    assert classified(2, 50).sampled(100)[1] == ""


def test_words() -> None:
    short = words.short("a name that is much too long for a chart", 20)
    assert len(short) <= 20
    assert short.startswith("a name tha")
    assert short.endswith("chart")
    assert words.width(words.short("動物" * 30, 20)) <= 20
    assert words.short("  \n ") == "(empty)"
    assert words.number(0.123456) == "0.1235"
    assert words.number(1234567.0) == "1,234,567"
    assert words.number(float("nan")) == "–"
    assert words.share(0.0004) == "< 0.1 %"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.slug("né à l'étranger / 数据") == "ne_a_l_etranger"
    assert words.slug("数据") == "column"
    assert words.metric("val_roc_auc") == "ROC AUC"
