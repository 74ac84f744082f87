"""What the Python API raises: one family, each member with a message that says what and where, and a remedy.

They are the trainer's own, so a notebook, a pod and the command line fail in the same words. Bad input is a
`ValueError` too.

>>> try:
...     raise DataError("column 'age', row 3: 'x' is not a number", "correct it")
... except TrainyardError as error:
...     print(error.remedy)
correct it
"""

from __future__ import annotations

from trainyard_trainer.errors import (
    DataError,
    Defect,
    DependencyDown,
    InvalidSpec,
    NotAllowed,
    OutOfMemory,
    Stopped,
    Temporary,
)
from trainyard_trainer.errors import JobError as TrainyardError

__all__ = [
    "DataError",
    "Defect",
    "DependencyDown",
    "InvalidSpec",
    "NotAllowed",
    "OutOfMemory",
    "Stopped",
    "Temporary",
    "TrainyardError",
]
