"""Which version a ModelServer should serve: read off its source, its failures and what it is offered.

One version at a time. What failed is not chosen again until the source names another, and what is about to
be promoted (verified, its alias on the move) is brought to its end first.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainyard.api.states import Reason
from trainyard.core.server_case import ServerCase

POLL = 15.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What should serve, who says so, and what stands in the way of what was wished."""

    version: int | None
    by: str = ""
    """What promotes it, for status.history."""
    message: str = ""
    """The decision, with its numbers."""
    held: Reason | None = None
    """Why the wish is not followed; `message` says it for people."""
    named: int | None = None
    """The version that the source names itself, which clears another one's failure."""


def choose(case: ServerCase) -> Choice:
    """The version that should serve; the serving one when there is nothing better."""
    choice = _wished(case)
    if _committed(case, choice):
        return Choice(case.record.target, *_credit(case, case.record.target))
    if case.to_zero and choice.version not in (None, case.record.serving):
        message = (
            f"Version {choice.version} waits: there are no replicas to verify it with. Set spec.replicas to "
            "1 or more."
        )
        return Choice(case.record.serving, message=message, held=Reason.SCALED_TO_ZERO)
    return choice


def _committed(case: ServerCase, choice: Choice) -> bool:
    """A verified target whose alias moved, or is on the move, is finished before anything else begins."""
    target = case.record.target
    if target is None or target in (case.record.serving, choice.version):
        return False
    verified, failed = case.verification(target), case.record.failed
    if verified is None or not verified.succeeded or (failed is not None and failed.version == target):
        return False
    unknown = case.observed.registry is None
    return (
        unknown or case.registry.busy or case.registry.champion == target or case.knobs.source == "promotions"
    )


def _wished(case: ServerCase) -> Choice:
    match case.knobs.source:
        case "version" if case.knobs.pinned is not None:
            return _named(case, case.knobs.pinned, "a pin", "spec.source.version names it.")
        case "follow":
            return _followed(case)
        case "promotions":
            return _offered(case)
        case _:
            message = "spec.source cannot be read; set exactly one of version, promotions and follow."
            return Choice(case.record.serving, message=message, held=Reason.INVALID_SPEC)


def _named(case: ServerCase, version: int, by: str, message: str) -> Choice:
    failed = case.record.failed
    if failed is not None and failed.version == version and version != case.record.serving:
        told = f"Version {version} failed; it is not tried again until spec.source names another: "
        told += failed.message
        return Choice(case.record.serving, message=told, held=_reason(failed.reason))
    return Choice(version, by, message, named=version)


def _followed(case: ServerCase) -> Choice:
    alias, registry = case.knobs.alias, case.registry
    version = registry.aliases.get(alias)
    if version is not None:
        return _named(case, version, f"alias {alias}"[:128], f"Alias {alias} names it.")
    if registry.error:
        keep = case.record.target if case.record.target is not None else case.record.serving
        return Choice(keep, f"alias {alias}"[:128])
    message = f"Alias {alias} of {case.registered} names no version; set it in MLflow."
    return Choice(case.record.serving, message=message, held=Reason.NO_VERSION)


def _offered(case: ServerCase) -> Choice:
    """The newest offer; a failure is first acknowledged by its TrainingJob, so that none is tried twice.

    A rollout that was begun goes on when its offer is not seen: after a restart it is seen a moment later.
    """
    record, failed = case.record, case.record.failed
    offers = [o for o in case.observed.offers if o.version > (record.serving or 0)]
    if failed is not None and any(o.version == failed.version for o in offers):
        offers = []
    begun = record.target if record.target_since is not None and record.target != record.serving else None
    if begun is not None and (
        begun < (record.serving or 0) or (failed is not None and failed.version == begun)
    ):
        begun = None
    best = max([o.version for o in offers] + ([begun] if begun is not None else []), default=None)
    if best is not None:
        return Choice(best, *_credit(case, best))
    if failed is not None:
        told = f"Version {failed.version} failed and is not tried again: {failed.message}"
        return Choice(record.serving, message=told, held=_reason(failed.reason))
    return Choice(record.serving)


def _credit(case: ServerCase, version: int | None) -> tuple[str, str]:
    found = next((o for o in case.observed.offers if o.version == version), None)
    return (found.promoted_by, found.message) if found is not None else ("", "")


def _reason(value: str) -> Reason:
    return next((r for r in Reason if r == value), Reason.ROLLOUT_FAILED)
