"""The data's files as artifacts of the run: all of them or none.

How much there is to upload is known before the first byte leaves. A run whose description is finished has
them whole: an upload that was interrupted is done again by the next attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainyard_trainer.data.load import Opened
from trainyard_trainer.data.settings import SplitSettings
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.tracking.mlflow_run import MlflowRun

FOLDER = "data"
MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Upload:
    """A file or folder of this machine, and the run's folder that it goes into."""

    path: Path
    folder: str


def uploads(opened: Sequence[Opened], split: SplitSettings, most: int = MOST_BYTES) -> list[Upload]:
    """What there is to upload: the source, files of parts in folders of their own, and files of labels.

    Raises:
        InvalidSpec: It is more than `most` bytes.
    """
    parts = (("validation", split.validation_file), ("test", split.test_file))
    folders = [FOLDER, *(f"{FOLDER}/{part}" for part, source in parts if source is not None)]
    found = [
        Upload(path, folder if i == 0 else f"{folder}/labels")
        for one, folder in zip(opened, folders, strict=True)
        for i, path in enumerate(one.paths)
    ]
    total = sum(_bytes(upload.path) for upload in found)
    if total > most:
        names = ", ".join(upload.path.name for upload in found)
        raise InvalidSpec(
            f"tracking.logData: {names} has {total / 2**20:,.1f} MiB, more than the {most / 2**20:,.1f} MiB "
            "that are uploaded to a run",
            "remove tracking.logData: the run has the address and the digest of the data either way",
        )
    return found


def upload(run: MlflowRun, files: Sequence[Upload]) -> None:
    """Upload them, replacing what is there."""
    for one in files:
        if one.path.is_dir():
            run.upload_folder(one.path, f"{one.folder}/{one.path.name}")
        else:
            run.upload(one.path, one.folder)


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
