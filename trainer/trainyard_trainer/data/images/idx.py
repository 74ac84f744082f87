"""The IDX format of MNIST and its relatives: images and labels in a file each, plain or gzip'd.

Two zero bytes, a code of the type, the number of dimensions, each dimension as a big-endian 32-bit number,
then the values.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.images.build import LABEL, column_of, image_table, need_of, pixels_of
from trainyard_trainer.data.settings import ImageSettings
from trainyard_trainer.data.table import Images, Table
from trainyard_trainer.errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
_COMPLETE = "fetch the file again, and check that it is complete"
_PAIRS = (("images", "labels"), ("idx3", "idx1"))


def is_idx(head: bytes) -> bool:
    """Whether a file that begins so is one."""
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in TYPES and 1 <= head[3] <= 4


class IdxReader:
    """Images of one file, labels of another."""

    def __init__(self, path: Path, labels: Path | None, image: ImageSettings, target: str | None) -> None:
        self.path, self.labels, self.image, self.target = path, labels or _beside(path), image, target
        self.said = []
        if labels is None and self.labels is not None:
            self.said.append(f"the labels are read from {self.labels.name}, which lies beside the images")
        if self.labels is None:
            raise DataError(
                f"{path.name} holds images without labels", "name their file in data.source.labels.uri"
            )
        _, shape = _header(path)
        if len(shape) not in (3, 4):
            hint = "; are the two files exchanged?" if len(shape) == 1 else ""
            raise DataError(
                f"{path.name} has {len(shape)} dimensions; images have 3 (rows, height, width){hint}",
                "name the images in data.source.uri and their labels in data.source.labels.uri",
            )
        self.need = need_of(shape, image)

    def read(self) -> tuple[Table, list[str]]:
        """The table: image and label.

        Raises:
            DataError: A file is damaged, or they do not belong together.
        """
        assert self.labels is not None  # noqa: S101 - checked in the constructor
        pixels, labels = _read(self.path), _read(self.labels)
        if labels.ndim != 1:
            raise DataError(
                f"{self.labels.name} has {labels.ndim} dimensions; labels have 1",
                "name the file of the labels in data.source.labels.uri",
            )
        if len(labels) != len(pixels):
            raise DataError(
                f"{self.path.name} holds {len(pixels):,} images, {self.labels.name} {len(labels):,} labels",
                "give files that belong together",
            )
        native = labels.astype(labels.dtype.newbyteorder("="))
        others = {self.target or LABEL: column_of(native, self.labels.name)}
        return image_table(Images(pixels_of(pixels, self.path.name, self.image)), others, None), self.said


def _beside(path: Path) -> Path | None:
    """The file of the labels where it is called as MNIST's are: train-labels-idx1-ubyte."""
    name = path.name
    for images, labels in _PAIRS:
        name = name.replace(images, labels)
    found = path.with_name(name)
    return found if name != path.name and found.is_file() else None


def _open(path: Path) -> Any:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
    return gzip.open(path) if zipped else path.open("rb")


def _header(path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type and shape that the file claims."""
    try:
        with _open(path) as file:
            head = file.read(4)
            if not is_idx(head):
                raise DataError(
                    f"{path.name} is no IDX file: it begins with {head.hex(' ') or 'nothing'}",
                    "check the file, and data.source.format",
                )
            sizes = file.read(4 * head[3])
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name} cannot be unpacked: {error}", _COMPLETE) from error
    if len(sizes) < 4 * head[3]:
        raise DataError(f"{path.name} ends within its header", _COMPLETE)
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    if not shape[0]:
        raise DataError(f"{path.name} holds nothing: its header says 0 rows", _COMPLETE)
    return np.dtype(TYPES[head[2]]), shape


def _read(path: Path) -> NDArray[Any]:
    kind, shape = _header(path)
    promised = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    try:
        with _open(path) as file:
            file.seek(4 + 4 * len(shape))
            content = file.read(promised + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name} cannot be unpacked: {error}", _COMPLETE) from error
    if len(content) != promised:
        more = "more than" if len(content) > promised else f"{len(content):,} of"
        raise DataError(
            f"{path.name} holds {more} the {promised:,} bytes that its header promises", _COMPLETE
        )
    return np.frombuffer(content, kind).reshape(shape)
