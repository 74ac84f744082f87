"""Training state on disk: two alternating slots, and `latest.json` written last.

A crash at any moment leaves at least one whole slot: the slot being written is never the one that
`latest.json` names, and every file is written beside its place, synced, and moved.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

LATEST = "latest.json"
_SLOTS = ("slot-a.pt", "slot-b.pt")

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Saved:
    """Files of a checkpoint in the order in which they must be copied elsewhere."""

    slot: Path
    latest: Path
    epoch: int


class CheckpointStore:
    """A folder of checkpoints for one training; `fingerprint` says which."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint

    def save(self, state: Mapping[str, Any], epoch: int) -> Saved:
        """Write the slot that is not the latest, then `latest.json`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        entries = self._entries()
        name = _SLOTS[1] if entries and entries[0]["slot"] == _SLOTS[0] else _SLOTS[0]
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        content = buffer.getvalue()
        _write(self.folder / name, content)
        entry = {"slot": name, "epoch": epoch, "sha256": hashlib.sha256(content).hexdigest()}
        older = [e for e in entries if e["slot"] != name][:1]
        latest = {"formatVersion": 1, "fingerprint": self.fingerprint, "slots": [entry, *older]}
        _write(self.folder / LATEST, json.dumps(latest).encode())
        return Saved(self.folder / name, self.folder / LATEST, epoch)

    def load(self) -> State | None:
        """The newest whole state of this training, or None."""
        for entry in self._entries():
            try:
                content = (self.folder / entry["slot"]).read_bytes()
            except OSError:
                continue
            if hashlib.sha256(content).hexdigest() == entry["sha256"]:
                state: State = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                return state
        return None

    def _entries(self) -> list[dict[str, Any]]:
        """Slots, newest first; none when they belong to another training."""
        try:
            latest = json.loads((self.folder / LATEST).read_bytes())
        except (OSError, ValueError):
            return []
        if latest.get("formatVersion") != 1 or latest.get("fingerprint") != self.fingerprint:
            return []
        entries: list[dict[str, Any]] = latest["slots"]
        return entries


def _write(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
