"""Repeating a run from what it logged, and saying whether the same came out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from trainyard.api.wire import AttemptSpec, Result
from trainyard.local.manifest import IN_MEMORY
from trainyard.local.runs import RunRecord, RunStore
from trainyard_trainer.errors import DataError, InvalidSpec
from trainyard_trainer.resolve import Job

RERUN_OF = "trainyard.rerunOf"
DIGEST, HOLDOUT = "trainyard.dataDigest", "trainyard.holdoutDigest"
_VERSIONS = ("trainyard.version", "trainyard.torch", "trainyard.python", "trainyard.device")
_PARTS = ("test_", "oof_", "val_")
SPEC = "spec.json"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that has one value in the run repeated and another in its repetition."""

    name: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out. `identical`: the package has the same SHA-256; `equal`: every metric has its value."""

    identical: bool
    equal: bool
    metrics: tuple[Difference, ...]
    versions: tuple[Difference, ...]


def logged_attempt(store: RunStore, record: RunRecord, uid: str) -> AttemptSpec:
    """The specification that the run logged, to be logged to the same store as a run of its own.

    Raises:
        InvalidSpec: The run logged none, or one that this version does not read.
        DataError: Its rows were in memory and are gone.
    """
    body = store.json(record.run_id, SPEC)
    if body is None:
        raise InvalidSpec(
            f"run {record.run_id} has logged no {SPEC}: it is not Trainyard's, or of an older version",
            "repeat it from its manifest with `trainyard run`",
        )
    try:
        attempt = AttemptSpec.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidSpec(
            f"{SPEC} of run {record.run_id} cannot be read: {where}: {first['msg']}",
            "repeat it with the version of Trainyard that made it",
        ) from None
    source = attempt.spec.data.source
    if source is not None and source.uri == IN_MEMORY:
        raise DataError(
            f"run {record.run_id} was trained on a DataFrame, which is logged by its digest only",
            "call trainyard.run with the same specification and data=",
        )
    tracking = attempt.tracking.model_copy(update={"uri": store.uri})
    return attempt.model_copy(update={"uid": uid, "attempt": 1, "coordinator": None, "tracking": tracking})


def as_repetition(job: Job, record: RunRecord, any_data: bool) -> Job:
    """Tagged with the run that it repeats, and held to its data unless `any_data`."""
    identity = dataclasses.replace(job.identity, tags={**job.identity.tags, RERUN_OF: record.run_id})
    digest = None if any_data else record.tags.get(DIGEST)
    return dataclasses.replace(job, identity=identity, data_digest=digest)


def judge(record: RunRecord, result: Result, tags: Mapping[str, str]) -> Verdict:
    """Compare a repetition with what it repeats.

    Args:
        record: The run that was repeated.
        result: The repetition's last word.
        tags: Where the repetition ran, see `tracking.provenance`.
    """
    names = [n for n in sorted(record.metrics) if n.startswith(_PARTS) and n in result.metrics]
    metrics = tuple(
        Difference(name, repr(record.metrics[name]), repr(result.metrics[name]))
        for name in names
        if record.metrics[name] != result.metrics[name]
    )
    versions = tuple(
        Difference(name.removeprefix("trainyard."), record.tags[name], tags.get(name, "unknown"))
        for name in _VERSIONS
        if name in record.tags and record.tags[name] != tags.get(name)
    )
    identical = result.model_sha256 is not None and result.model_sha256 == record.model_sha256
    return Verdict(identical, identical or (bool(names) and not metrics), metrics, versions)
