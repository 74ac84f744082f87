"""A job's last word, from what is known of it and how it ended."""

from __future__ import annotations

from trainyard.api.states import Cause
from trainyard.api.wire import Result, ResultData
from trainyard_trainer.errors import JobError
from trainyard_trainer.outcome import Outcome


def make_result(outcome: Outcome, error: JobError | None) -> Result:
    """The job's last word."""
    data = None
    if outcome.data_digest is not None:
        data = ResultData(
            data_digest=outcome.data_digest, holdout_digest=outcome.holdout_digest, rows=outcome.rows
        )
    return Result(
        exit_code=0 if error is None else error.exit_code,
        cause=Cause(error.cause) if error is not None and error.cause else None,
        message=error.message[:4096] if error is not None else None,
        remedy=error.remedy[:4096] or None if error is not None else None,
        experiment_id=outcome.experiment_id,
        run_id=outcome.run_id,
        model_uri=outcome.model_uri,
        model_sha256=outcome.model_sha256,
        metrics=outcome.metrics,
        data=data,
        epochs=outcome.epochs,
    )
