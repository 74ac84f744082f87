"""The short texts that `kubectl get` shows, and the status they stand in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from trainyard.api.status import ProgressStatus
from trainyard.api.wire import Progress


def as_status(report: Progress, now: datetime, wanted_metric: str = "") -> ProgressStatus:
    """A report as it stands in `status.progress`; `wanted_metric` is the one that chooses the epoch."""
    return ProgressStatus(
        epoch=report.epoch,
        epochs=report.epochs,
        percent=report.percent,
        eta_seconds=report.eta_seconds,
        metrics=report.metrics,
        experiment_id=report.experiment_id,
        run_id=report.run_id,
        attempt=report.attempt,
        updated_at=now,
        summary=f"{report.percent}%" if report.epochs is None else f"{report.epoch or 0}/{report.epochs}",
        metric=metric_text(report.metrics, wanted_metric),
        eta=None if report.eta_seconds is None else duration(report.eta_seconds),
    )


def metric_text(metrics: Mapping[str, float], wanted: str = "") -> str | None:
    """The one metric that fits a column: the wanted one, a validation score, a loss, or the first.

    >>> metric_text({"train_loss": 0.4, "val_loss": 0.5, "val_roc_auc": 0.98765})
    'val_roc_auc=0.9877'
    >>> metric_text({"train_loss": 12345.678}), metric_text({})
    ('train_loss=1.235e+04', None)
    """
    if not metrics:
        return None
    validation = [name for name in metrics if name.startswith("val_")]
    scores = [name for name in validation if not name.endswith("_loss")]
    name = wanted if wanted in metrics else [*scores, *validation, *metrics][0]
    return f"{name}={metrics[name]:.4g}"


def duration(seconds: float) -> str:
    """Seconds as people say them: two units at most.

    >>> duration(0.2), duration(59.6), duration(754), duration(7_500), duration(200_000)
    ('0s', '1m0s', '12m34s', '2h5m', '2d7h')
    """
    left = round(seconds)
    if left < 60:
        return f"{left}s"
    if left < 3600:
        return f"{left // 60}m{left % 60}s"
    if left < 86400:
        return f"{left // 3600}h{left % 3600 // 60}m"
    return f"{left // 86400}d{left % 86400 // 3600}h"
