"""How a job can end other than well: each cause has one exit code, and every message comes with a remedy.

The causes and codes are the pod's contract with the operator, which decides from them alone whether to retry.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import ClassVar

from typing_extensions import override


class JobError(Exception):
    """An end with a known cause. `message` says what and where, `remedy` what to do next."""

    cause: ClassVar[str]
    exit_code: ClassVar[int]

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message, self.remedy = message, remedy

    @override
    def __str__(self) -> str:
        return f"{self.message}\n  what to do: {self.remedy}" if self.remedy else self.message


class InvalidSpec(JobError, ValueError):  # noqa: N818 - named as the cause that people see
    """The specification cannot be carried out, whatever the data."""

    cause, exit_code = "InvalidSpec", 64


class DataError(JobError, ValueError):
    """The data is not what the specification says, or nothing can be learned from it."""

    cause, exit_code = "DataError", 65


class DependencyDown(JobError):  # noqa: N818
    """MLflow or the host of the data cannot be reached; the same attempt may work later."""

    cause, exit_code = "DependencyDown", 69


class Temporary(JobError):  # noqa: N818
    """Something that passes, such as a full disk of the node."""

    cause, exit_code = "Temporary", 75


class PeersLost(Temporary):
    """Another process of this training is gone; it, or whoever watched it, knows why."""


class NotAllowed(JobError):  # noqa: N818
    """Something answered, and refused."""

    cause, exit_code = "NotAllowed", 77


class Stopped(JobError):  # noqa: N818
    """Asked to stop (SIGTERM, Ctrl-C, a newer attempt); the state is saved."""

    cause, exit_code = "Stopped", 143


class OutOfMemory(JobError):  # noqa: N818
    """An allocation failed; the operator may give the next attempt more."""

    cause, exit_code = "OOMKilled", 137


class Defect(JobError):  # noqa: N818
    """Ours: an error that nothing above explains. Its cause stays open, and the operator may try again."""

    cause, exit_code = "", 1


def closest(name: str, names: list[str]) -> str:
    """A hint at what was probably meant, or else what there is."""
    if match := get_close_matches(name, names, n=1, cutoff=0.6):
        return f"did you mean '{match[0]}'?"
    shown = ", ".join(f"'{n}'" for n in names[:12])
    return f"there is {shown}{' ...' if len(names) > 12 else ''}"
