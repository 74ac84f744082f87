"""Training state on disk: two alternating slots, and an index written last.

A crash at any moment leaves at least one whole slot: the slot being written is never the one that the index
names first, and every file is written beside its place, synced, and moved.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainyard_trainer.errors import Temporary

FORMAT_VERSION = 2
LATEST = "latest.json"
_SLOTS = ("slot-a.pt", "slot-b.pt")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Saved:
    """Files of a checkpoint in the order in which they must be copied elsewhere."""

    slot: Path
    latest: Path
    epoch: int


class CheckpointStore:
    """Checkpoints of one training in a folder; `fingerprint` says which training.

    Several stores share a folder when their files begin with different `prefix`es. After `load`, `damaged`
    names the files that could not be used.
    """

    def __init__(self, folder: Path, fingerprint: str, prefix: str = "") -> None:
        self.folder, self.fingerprint = folder, fingerprint
        self.damaged: list[str] = []
        self._latest = folder / f"{prefix}{LATEST}"
        self._slots = tuple(f"{prefix}{slot}" for slot in _SLOTS)

    def save(self, state: Mapping[str, Any], epoch: int) -> Saved:
        """Write the slot that is not the latest, then the index.

        Raises:
            Temporary: There is no room.
        """
        try:
            return self._save(state, epoch)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise Temporary(
                f"the checkpoint cannot be written to {self.folder}: {error.strerror}",
                f"free space in {self.folder}, or give it more",
            ) from error

    def _save(self, state: Mapping[str, Any], epoch: int) -> Saved:
        self.folder.mkdir(parents=True, exist_ok=True)
        entries = self._entries()
        name = self._slots[1] if entries and entries[0]["slot"] == self._slots[0] else self._slots[0]
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        content = buffer.getvalue()
        _write(self.folder / name, content)
        entry = {"slot": name, "epoch": epoch, "sha256": hashlib.sha256(content).hexdigest()}
        older = [e for e in entries if e["slot"] != name][:1]
        latest = {"formatVersion": FORMAT_VERSION, "fingerprint": self.fingerprint, "slots": [entry, *older]}
        _write(self._latest, json.dumps(latest).encode())
        return Saved(self.folder / name, self._latest, epoch)

    def load(self) -> State | None:
        """The newest whole state of this training, or None."""
        self.damaged = []
        for entry in self._entries():
            try:
                content = (self.folder / entry["slot"]).read_bytes()
            except OSError:
                self.damaged.append(entry["slot"])
                continue
            if hashlib.sha256(content).hexdigest() == entry["sha256"]:
                state: State = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                return state
            self.damaged.append(entry["slot"])
        return None

    def _entries(self) -> list[dict[str, Any]]:
        """Slots, newest first; none when they belong to another training."""
        try:
            latest = json.loads(self._latest.read_bytes())
            ours = latest["formatVersion"] == FORMAT_VERSION and latest["fingerprint"] == self.fingerprint
            entries: list[dict[str, Any]] = latest["slots"] if ours else []
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError):
            self.damaged.append(self._latest.name)
            return []
        return entries


def _write(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
