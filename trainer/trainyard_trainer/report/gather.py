"""Findings from what a finished training has in its hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from trainyard_model import FAMILIES, Layer, Network, Predictor
from trainyard_model.preprocess import SteppedPreprocessor
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.report import pace, pick
from trainyard_trainer.report.findings import Findings, Part
from trainyard_trainer.report.trace import trace

_TRACED_ROWS = 2


def gather(
    name: str,
    data: Prepared,
    predictor: Predictor,
    network: Network,
    history: Mapping[int, Mapping[str, float]],
    evaluation: Mapping[str, Any],
    importance: Mapping[str, float],
) -> Findings:
    """Predict and explain the rows that judge, with the package; outline the network.

    Args:
        name: The job's.
        data: With its parts. Test rows judge; validation rows, or training rows, where there are none.
        predictor: Of the package.
        network: The same network; it is run once with two rows.
        history: Metrics by epoch, from 1.
        evaluation: As in `evaluation.json`.
        importance: Share of each input column.
    """
    part, numbers = _judging(data)
    columns = data.raw(numbers)
    target = data.target.values[numbers]
    found = Findings(
        name=name,
        family=predictor.package.family,
        task=data.target.task,
        targets=data.schema.targets,
        classes=data.schema.classes,
        judged=Part(predictor.scores(columns), target, np.asarray(numbers, dtype=np.int64)),
        part=part,
        history=history,
        best_epoch=evaluation.get("bestEpoch"),
        metric=str(evaluation.get("metric", "")),
        evaluation=evaluation,
        importance=importance,
        columns=read(predictor, columns),
        layers=outline(network, predictor, {key: values[:_TRACED_ROWS] for key, values in columns.items()}),
        notices=data.notices,
        inputs=FAMILIES[predictor.package.family].takes,
        coverage=data.coverage,
    )
    return explained(found, predictor, columns)


def read(predictor: Predictor, columns: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the model reads of raw rows: what steps of other distributions make of them, if there are any."""
    preprocessor = predictor.package.preprocessor
    return preprocessor.stepped(columns) if isinstance(preprocessor, SteppedPreprocessor) else columns


def explained(f: Findings, predictor: Predictor, raw: Mapping[str, Any]) -> Findings:
    """With the explanations of what is going to be shown; of texts and images what there is time for."""
    rows = pick.to_explain(f)
    if f.inputs == "table":
        if not len(rows):
            return f
        found = predictor.explain({name: values[rows] for name, values in raw.items()})
        return replace(f, explained=rows, explanations=found)
    parts: list[Any] = []
    (column,) = f.columns
    for piece in pace.paced(rows):
        parts += list(predictor.explain({name: values[piece] for name, values in raw.items()})[column])
    return replace(f, explained=rows[: len(parts)], explanations={column: parts})


def outline(network: Network, predictor: Predictor, rows: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The network's blocks: as the family tells them, else as its modules are called with the first rows."""
    if told := network.outline():
        return told
    device = next(network.parameters()).device
    inputs = predictor.package.preprocessor.encode(rows)
    return trace(network, tuple(torch.from_numpy(values).to(device) for values in inputs))


def _judging(data: Prepared) -> tuple[Literal["test", "validation", "training"], Any]:
    if len(data.rows.test):
        return "test", data.rows.test
    if len(data.rows.validation):
        return "validation", data.rows.validation
    return "training", data.rows.train
