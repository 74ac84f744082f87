"""Put the loop together from a job and its data: network, loss, scores, selection."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from trainyard_model import FAMILIES, Loss, Network
from trainyard_model.errors import ShapeError
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.evaluate import names
from trainyard_trainer.evaluate.judge import evaluate, prefixed
from trainyard_trainer.fit.device import configure, share_out
from trainyard_trainer.fit.feed import DevicePart
from trainyard_trainer.fit.group import ALONE, Group
from trainyard_trainer.fit.loop import Fitter, Scorer
from trainyard_trainer.fit.losses import class_weights, make_loss
from trainyard_trainer.fit.selection import Selection
from trainyard_trainer.fit.settings import FitSettings
from trainyard_trainer.resolve import Job
from trainyard_trainer.scores import to_scores


def assemble(job: Job, data: Prepared, group: Group = ALONE) -> tuple[Network, Fitter]:
    """Everything seeded, built and on the device.

    Raises:
        InvalidSpec: The model's settings do not go with these data.
    """
    family = FAMILIES[job.family]
    torch.manual_seed(job.fit.seed)  # weights are drawn on the CPU: the same on every device
    try:
        network = family.build(family.config(job.model, data.preprocessor.shape()))
    except ShapeError as error:
        raise InvalidSpec(error.message, error.remedy) from error
    if data.vectors is not None:
        network.pretrained(torch.from_numpy(data.vectors), data.vectors_trainable)
    rows = max(1, min(job.fit.batch_size, len(data.train)) // group.size)
    device = configure(job.fit.deterministic, rows * network.widest)
    network = network.to(device)
    network.peers = group.peers
    share_out(network, rows)
    weights = None
    if data.target.task == "Classification":
        weights = class_weights(job.fit, data.target.classes, data.train.target)
    loss = make_loss(
        data.target.task, None if weights is None else weights.to(device), job.fit.label_smoothing
    )
    fitter = Fitter(
        network,
        DevicePart(data.train, device),
        DevicePart(data.validation, device),
        loss,
        _scorer(data, loss),
        _selection(job.fit, data),
        job.fit,
        group,
    )
    return network, fitter


def fingerprint(job: Job, data: Prepared) -> str:
    """Which training a checkpoint belongs to: another specification, or other data, is another training."""
    files = {name: hashlib.sha256(file).hexdigest() for name, file in data.preprocessor.files().items()}
    content = json.dumps([dict(job.params), data.data_digest, data.holdout_digest, files], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _scorer(data: Prepared, loss: Loss) -> Scorer:
    """Validation metrics in the target's own units, and the loss that training minimises."""
    task, means, scales = data.target.task, np.array(data.target_means), np.array(data.target_scales)

    def score(outputs: Tensor, part: DevicePart) -> Mapping[str, float]:
        value = loss(outputs, part.target, part.weight).item()
        if not math.isfinite(value):
            return {"val_loss": value}
        target = part.target.cpu().numpy()
        if task == "Regression":
            target = target.astype(np.float64) * scales + means
        weight = None if part.weight is None else part.weight.cpu().numpy()
        found = evaluate(task, to_scores(data, outputs), target, weight)
        return {"val_loss": value, **prefixed("val", found)}

    return score


def _selection(settings: FitSettings, data: Prepared) -> Selection:
    metric = settings.metric or names.default_metric(data.target.task, len(data.target.classes))
    maximize = names.maximised(metric) if settings.maximize is None else settings.maximize
    stop_metric = settings.stop_metric or metric
    return Selection(
        metric=metric,
        maximize=maximize,
        stop_metric=stop_metric,
        stop_maximize=maximize if stop_metric == metric else names.maximised(stop_metric),
        patience=settings.patience,
        min_delta=settings.min_delta,
    )
