"""Made-up findings of any size for tests of the report."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from trainyard_model import Layer
from trainyard_trainer.evaluate.judge import Judged, evaluate
from trainyard_trainer.report import Findings, Fraction, Part

CATEGORIES = ("Private", "né à l'étranger", "数据", "a very long category that goes on and on and on", None)
LAYERS = (
    Layer("embedding", "PackedEmbedding", (14,), 504, (-1,)),
    Layer("norm", "BatchNorm1d", (20,), 40, (-1, 0)),
    Layer("step 1", "FeatureTransformer", (16,), 2432, (1,)),
    Layer("inner", "Linear", (16,), 2000, (), 1),
    Layer("step 2", "FeatureTransformer", (16,), 1280, (1, 2)),
    Layer("output", "", (2,), 0, (2, 4)),
)


def history(epochs: int, rise: float = 0.0, fall: float = 0.0) -> dict[int, dict[str, float]]:
    """Curves that fall and level off; `rise` and `fall` is what validation and training do after a third."""
    found = {}
    for epoch in range(1, epochs + 1):
        late = max(0, epoch - epochs // 3)
        base = 0.7 * float(np.exp(-epoch / (epochs / 8)))
        train, val = 0.2 + base - fall * late, 0.22 + base + rise * late
        found[epoch] = {"train_loss": train, "val_loss": val, "val_accuracy": 1 - val / 2, "val_rmse": val}
    return found


def columns(rows: int, numeric: int, categorical: int, drift: Any = 0.0) -> dict[str, Any]:
    """Cells of every kind: whole numbers, gaps, texts in several scripts, names with signs in them."""
    random = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for i in range(numeric):
        values = random.normal(0, 1, rows) + drift / (i + 1)
        if i == 1:
            values[random.random(rows) < 0.3] = np.nan
        found[f"x{i} <$price$> & 数"] = np.round(values * 9).astype(np.int64) if i == 2 else values
    for i in range(categorical):
        found[f"kind {i}"] = np.array(CATEGORIES, dtype=object)[random.integers(0, len(CATEGORIES), rows)]
    return found


def classified(
    classes: int, rows: int, numeric: int = 4, categorical: int = 2, absent: bool = False, **more: Any
) -> Findings:
    """A classification that is right more often than not; with `absent` no row is of the last class."""
    random = np.random.default_rng(1)
    target = random.integers(0, classes - absent, rows)
    logits = random.normal(0, 1, (rows, classes))
    logits[np.arange(rows), target] += 2.0
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = tuple(f"<b>class {i}</b> of 動物 with a long name" for i in range(classes))
    cells = columns(rows, numeric, categorical, target / classes)
    shares = random.dirichlet(np.full(len(cells), 0.3))
    explained = np.arange(min(rows, 500))
    judged = Judged("Classification", scores, target)
    found = evaluate("Classification", scores, target)
    evaluation = {
        "threshold": 0.4 if classes == 2 else None,
        "metric": "val_accuracy",
        "validation": found,
        "test": {
            name: {"value": v, "low": v * 0.97, "high": min(1.0, v * 1.02)} for name, v in found.items()
        },
        "perClass": judged.per_class(labels, None),
        "baseline": {"baseline": {name: v * 0.9 for name, v in found.items()}, "majority": {"accuracy": 0.2}},
    }
    given: dict[str, Any] = {
        "name": "adult <income>",
        "family": "tabnet",
        "history": history(30),
        "best_epoch": 25,
        "metric": "val_accuracy",
        "layers": LAYERS,
        "notices": ("column 'id' is left out",),
    }
    return Findings(
        task="Classification",
        targets=("income",),
        classes=labels,
        judged=Part(scores, target, np.arange(rows) * 3),
        evaluation=evaluation,
        importance=dict(zip(cells, shares.tolist(), strict=True)),
        columns=cells,
        explained=explained,
        explanations={
            name: random.exponential(share, len(explained)) for name, share in zip(cells, shares, strict=True)
        },
        **(given | more),
    )


def regressed(targets: int, rows: int, **more: Any) -> Findings:
    """A regression that is off by a tenth, the last target systematically."""
    random = np.random.default_rng(2)
    truth = random.normal(200, 50, (rows, targets))
    scores = truth + random.normal(0, 5, truth.shape)
    scores[:, -1] += 40
    cells = columns(rows, 3, 2, truth[:, 0] / 50)
    found = evaluate("Regression", scores, truth)
    given: dict[str, Any] = {
        "name": "prices",
        "family": "mlp",
        "history": history(30, rise=0.02, fall=0.01),
        "best_epoch": 10,
        "metric": "val_rmse",
        "columns": cells,
        "fractions": [Fraction(100, 9.0, 8.0, 10.0), Fraction(400, 6.0, 5.5, 6.5)],
        "fraction_metric": "test_rmse",
    }
    return Findings(
        task="Regression",
        targets=tuple(f"target {i}" for i in range(targets)),
        classes=(),
        judged=Part(scores, truth, np.arange(rows)),
        evaluation={"validation": found, "test": {name: {"value": v} for name, v in found.items()}},
        importance=dict.fromkeys(cells, 1 / len(cells)),
        **(given | more),
    )


WORDS = ["goal", "market", "minister", "film", "the", "a", "<b>of</b>", "né", "数据", "extraordinarily"]


def written(classes: int, rows: int, length: int = 60, **more: Any) -> Findings:
    """A classification of texts; among them empty ones, very long ones, and words of any script."""
    random = np.random.default_rng(3)
    sizes = random.integers(1, length, rows)
    sizes[: min(2, rows)] = (0, 40 * length)[: min(2, rows)]
    texts = np.array([" ".join(random.choice(WORDS, size)) for size in sizes], dtype=object)
    base = classified(classes, rows, 1, 0)
    explained = np.arange(min(rows, 40))
    explanations = []
    for row in explained:
        at, found = 0, []
        for word in texts[row].split():
            start = texts[row].index(word, at)
            at = start + len(word)
            found.append({"text": word, "start": start, "end": at, "weight": float(random.normal(0.3, 1.0))})
        explanations.append(found)
    coverage = {
        "rows": rows,
        "tokens": 30 * rows,
        "vocabulary": 9000,
        "unknownShare": 0.02,
        "heldOutUnknownShare": 0.12,
        "maxLength": 25,
        "truncatedShare": 0.03,
        "lengths": {"median": 14.0, "longest": 90, "edges": [0, 10, 20, 30, 40], "counts": [5, 9, 3, 1]},
        "normalise": {"strip_apostrophes": {"chosen": True, "knownWithout": 0.9, "knownWith": 0.95}},
        "vectors": {"width": 50, "types": 0.63, "tokens": 0.91, "missing": ["née", "<b>of</b>"]},
    }
    given: dict[str, Any] = {
        "family": "lstm",
        "inputs": "text",
        "columns": {"text": texts},
        "explained": explained,
        "explanations": {"text": explanations},
        "importance": dict(zip(WORDS, random.dirichlet(np.full(len(WORDS), 0.5)).tolist(), strict=True)),
        "coverage": coverage,
    }
    return dataclasses.replace(base, **(given | more))


def pictured(classes: int, rows: int, shape: tuple[int, ...], **more: Any) -> Findings:
    """A classification, or without classes a regression, of images (height, width[, channels])."""
    random = np.random.default_rng(4)
    base = classified(classes, rows, 1, 0, absent=classes > 2) if classes else regressed(2, rows)
    y, x = np.mgrid[: shape[0], : shape[1]]
    blob = np.exp(-(((y - shape[0] / 2) / shape[0] * 3) ** 2) - ((x - shape[1] / 3) / shape[1] * 3) ** 2)
    noise = random.random((rows, *shape[:2]))
    images = 255 * (0.7 * blob + 0.3 * noise)
    if len(shape) > 2:
        images = images[..., None] * random.random((rows, 1, 1, shape[2]))
    explained = np.arange(min(rows, 100))
    given: dict[str, Any] = {
        "family": "convnet",
        "inputs": "image",
        "columns": {"image": images.astype(np.uint8)},
        "explained": explained,
        "explanations": {"image": (blob * (noise - 0.3))[explained]},
        "importance": {},
    }
    return dataclasses.replace(base, **(given | more))
