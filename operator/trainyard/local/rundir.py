"""Where a training on this machine keeps checkpoints, so that what Ctrl-C stopped can be taken up again.

One folder for each combination of manifest, tracking store and working folder, below the user's cache.
It outlives only a training that was stopped.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

_UID = "uid"


class RunFolder:
    """An open folder; `uid` names the run, and is an earlier one's when there is a checkpoint of it."""

    def __init__(self, path: Path, lock: int | None) -> None:
        self.path, self._lock = path, lock
        self.resumable = False
        if not (path / "checkpoint" / "latest.json").exists() or not (path / _UID).exists():
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            (path / _UID).write_text(f"local-{uuid.uuid4()}")
        self.uid = (path / _UID).read_text()

    @classmethod
    def open(cls, *training: object) -> Self:
        """The folder of this training; a temporary one while another process does the same.

        Args:
            training: What makes it this one and no other, as plain values: manifest, store, data.
        """
        identity = json.dumps([*training, str(Path.cwd())], sort_keys=True)
        name = hashlib.sha256(identity.encode()).hexdigest()[:16]
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trainyard" / "runs"
        try:
            cache.mkdir(parents=True, exist_ok=True)
            lock = os.open(cache / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return cls(Path(tempfile.mkdtemp(prefix="trainyard-")), None)
        return cls(cache / name, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.resumable:
            shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
