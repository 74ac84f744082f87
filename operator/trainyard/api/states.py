"""Every word that status, Events and results may say, so that documentation and alerts can list them."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class State(StrEnum):
    """Where a TrainingJob or Study is. Succeeded and Failed are final."""

    PENDING = "Pending"
    SUSPENDED = "Suspended"
    STARTING = "Starting"
    RUNNING = "Running"
    RESTARTING = "Restarting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def terminal(self) -> bool:
        """No pod is ever created again."""
        return self in (State.SUCCEEDED, State.FAILED)


class ServerState(StrEnum):
    """Where a ModelServer is."""

    WAITING = "Waiting"
    """Nothing was promoted yet."""
    ROLLING_OUT = "RollingOut"
    SERVING = "Serving"
    DEGRADED = "Degraded"
    """It serves, with fewer pods than wanted or after a rollback."""
    FAILED = "Failed"


class PromotionState(StrEnum):
    """Where a candidate is on its way into serving."""

    PENDING = "Pending"
    EVALUATING = "Evaluating"
    REJECTED = "Rejected"
    AWAITING_APPROVAL = "AwaitingApproval"
    ROLLING_OUT = "RollingOut"
    VERIFYING = "Verifying"
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"


class ConditionType(StrEnum):
    """Aspects that `kubectl wait --for=condition=...` can wait for."""

    STARTED = "Started"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TRACKED = "Tracked"
    """MLflow knows the run."""
    PROMOTED = "Promoted"
    SERVING = "Serving"
    PROGRESSING = "Progressing"
    NAME_CONFLICT = "NameConflict"
    """A child's name is taken by an object of someone else."""


class Reason(StrEnum):
    """Why an object is in its state."""

    # on its way
    ACCEPTED = "Accepted"
    JOB_CREATED = "JobCreated"
    QUEUED = "Queued"
    SCHEDULED = "Scheduled"
    PULLING_IMAGE = "PullingImage"
    TRAINING = "Training"
    SEARCHING = "Searching"
    FINALISING = "Finalising"
    USER_SUSPENDED = "UserSuspended"
    RETRYING = "Retrying"
    RESULT_PENDING = "ResultPending"
    COMPLETED = "Completed"
    # waiting for something
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_BACK_OFF = "ImagePullBackOff"
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_REJECTED = "PodRejected"
    MOUNT_FAILED = "MountFailed"
    MISSING_SECRET = "MissingSecret"  # noqa: S105 - a reason
    CONTAINER_CONFIG_ERROR = "ContainerConfigError"
    CONTAINER_START_ERROR = "ContainerStartError"
    COORDINATOR_NOT_READY = "CoordinatorNotReady"
    SERVICE_ACCOUNT_NOT_USABLE = "ServiceAccountNotUsable"
    KUEUE_NOT_INSTALLED = "KueueNotInstalled"
    NAME_CONFLICT = "NameConflict"
    DEPENDENCY_DOWN = "DependencyDown"
    TRACKING_UNAVAILABLE = "TrackingUnavailable"
    # ended, or about to be retried
    INVALID_SPEC = "InvalidSpec"
    DATA_ERROR = "DataError"
    NOT_ALLOWED = "NotAllowed"
    OOM_KILLED = "OOMKilled"
    KILLED = "Killed"
    STOPPED = "Stopped"
    TEMPORARY = "Temporary"
    EVICTED = "Evicted"
    DISRUPTED = "Disrupted"
    NODE_LOST = "NodeLost"
    POD_DELETED = "PodDeleted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
    UNKNOWN_FAILURE = "UnknownFailure"
    # studies
    BUDGET_SPENT = "BudgetSpent"
    TARGET_REACHED = "TargetReached"
    PATIENCE_EXHAUSTED = "PatienceExhausted"
    TIMEOUT = "Timeout"
    SPACE_EXHAUSTED = "SpaceExhausted"
    TOO_MANY_FAILED_TRIALS = "TooManyFailedTrials"
    UNKNOWN_METRIC = "UnknownMetric"
    # promotion and serving
    REGISTERED = "Registered"
    NOT_REQUESTED = "NotRequested"
    GATE_PASSED = "GatePassed"
    THRESHOLD_NOT_MET = "ThresholdNotMet"
    NO_IMPROVEMENT = "NoImprovement"
    GUARD_REGRESSED = "GuardRegressed"
    METRIC_MISSING = "MetricMissing"
    SIGNATURE_MISSING = "SignatureMissing"
    TOO_FEW_ROWS = "TooFewRows"
    CHAMPION_NOT_COMPARABLE = "ChampionNotComparable"
    PINNED_BY_USER = "PinnedByUser"
    COOLING_DOWN = "CoolingDown"
    APPROVED = "Approved"
    NO_VERSION = "NoVersion"
    ROLLOUT_FAILED = "RolloutFailed"
    VERIFY_FAILED = "VerifyFailed"
    AVAILABLE = "Available"
    ROLLING_OUT = "RollingOut"
    VERIFYING = "Verifying"
    SUPERSEDED = "Superseded"
    SCALED_TO_ZERO = "ScaledToZero"


class Cause(StrEnum):
    """Why an attempt ended other than well: the first eight a trainer says, the rest the operator sees."""

    INVALID_SPEC = "InvalidSpec"
    DATA_ERROR = "DataError"
    DEPENDENCY_DOWN = "DependencyDown"
    TEMPORARY = "Temporary"
    NOT_ALLOWED = "NotAllowed"
    STOPPED = "Stopped"
    OOM_KILLED = "OOMKilled"
    KILLED = "Killed"
    EVICTED = "Evicted"
    DISRUPTED = "Disrupted"
    NODE_LOST = "NodeLost"
    POD_DELETED = "PodDeleted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    UNKNOWN = "Unknown"


class ExitCode(IntEnum):
    """Exit codes of the pod contract, in any language."""

    DONE = 0
    INVALID_SPEC = 64
    DATA_ERROR = 65
    DEPENDENCY_DOWN = 69
    TEMPORARY = 75
    NOT_ALLOWED = 77
    KILLED = 137
    STOPPED = 143


EXIT_CAUSES: dict[int, Cause] = {
    ExitCode.INVALID_SPEC: Cause.INVALID_SPEC,
    ExitCode.DATA_ERROR: Cause.DATA_ERROR,
    ExitCode.DEPENDENCY_DOWN: Cause.DEPENDENCY_DOWN,
    ExitCode.TEMPORARY: Cause.TEMPORARY,
    ExitCode.NOT_ALLOWED: Cause.NOT_ALLOWED,
    ExitCode.KILLED: Cause.KILLED,
    ExitCode.STOPPED: Cause.STOPPED,
}
"""What an exit code means when no result says more."""
