"""NumPy's archives: an array of images, one of labels, and others as columns. Nothing is ever unpickled.

Arrays of parts, as Keras (`x_train`, `y_test`) and MedMNIST (`train_images`, `val_labels`) name them, are one
column each, and the part of an image is kept.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.images.build import PARTS, column_of, image_table, need_of, pixels_of
from trainyard_trainer.data.partition import PART_OF
from trainyard_trainer.data.settings import ImageSettings
from trainyard_trainer.data.table import Images, Table, Values, joined_columns
from trainyard_trainer.errors import DataError, closest

Shape = tuple[int, ...]
_IMAGES = ("image", "images", "x", "X")
_LABELS = ("label", "labels", "y", "target", "targets")
_WORD = "|".join(PART_OF)
_OF_A_PART = re.compile(rf"(?P<first>{_WORD})_(?P<rest>.+)|(?P<base>.+)_(?P<last>{_WORD})")


class Arrays:
    """Named arrays, of which shapes are known before the content is read."""

    def __init__(
        self,
        name: str,
        shapes: Mapping[str, Shape],
        read: Callable[[str], NDArray[Any]],
        image: ImageSettings,
        targets: tuple[str, ...] = (),
    ) -> None:
        """`targets` are the columns to predict, where they are told."""
        self.name, self.shapes, self._read, self.image = name, shapes, read, image
        self.targets = targets
        self._members = _by_part(shapes)
        self._images = self._which_images()
        self.need = sum(need_of(shapes[name], image) for name in self._members[self._images].values())

    def _which_images(self) -> str:
        def drawn(base: str) -> bool:
            return all(len(self.shapes[name]) in (3, 4) for name in self._members[base].values())

        found = [base for base in self._members if drawn(base)]
        usual = [base for base in found if base in _IMAGES]
        if len(usual or found) == 1:
            return (usual or found)[0]
        there = ", ".join(f"'{name}' {shape}" for name, shape in list(self.shapes.items())[:6])
        raise DataError(
            f"{self.name} holds {'several arrays' if found else 'no array'} of images; there is {there}",
            "save one array (rows, height, width) or (rows, height, width, channels), called image",
        )

    def _which_labels(self) -> tuple[str, ...]:
        """What is predicted, if it is told; else the array that has the usual name."""
        others = [base for base in self._members if base != self._images]
        for target in self.targets:
            if target not in others:
                hint = closest(target, others or ["none"])
                raise DataError(
                    f"data.target: {self.name} has no array '{target}'; {hint}", "correct data.target"
                )
        return self.targets or tuple(base for base in _LABELS if base in others)[:1]

    def read(self) -> tuple[Table, list[str]]:
        """The table, and notices about arrays that are not used.

        Raises:
            DataError: Arrays are damaged or do not belong together.
        """
        labels, notices = self._which_labels(), []
        members = self._members[self._images]
        pieces = [
            pixels_of(self._read(member), f"{self.name}: {member}", self.image) for member in members.values()
        ]
        counts = {part: len(piece) for part, piece in zip(members, pieces, strict=True)}
        others: dict[str, Values] = {}
        for base, own in self._members.items():
            if base == self._images:
                continue
            try:
                others[base] = self._column(base, own, counts)
            except DataError as error:
                if base in labels:
                    raise
                notices.append(f"{error.message}, left out")
        last = sorted(others, key=lambda name: name in labels)
        images = joined_columns([Images(piece) for piece in pieces], list(members.values()))
        parts = None
        if None not in members:
            parts = np.repeat(
                np.array([PARTS.index(str(part)) for part in counts], dtype=np.int32), list(counts.values())
            )
        assert isinstance(images, Images)  # noqa: S101 - it was joined from such
        return image_table(images, {name: others[name] for name in last}, parts), notices

    def _column(self, base: str, own: Mapping[str | None, str], counts: Mapping[str | None, int]) -> Values:
        """One column from the arrays of its parts, each as long as the images of the part."""
        if set(own) != set(counts):
            absent = next(iter({*counts, *own} - ({*counts} & {*own})))
            raise DataError(
                f"{self.name}: '{base}' and '{self._images}' have not the same parts ({absent})",
                "save both for each part",
            )
        pieces = []
        for part, count in counts.items():
            array = self._read(own[part])
            if not array.ndim or len(array) != count:
                rows = len(array) if array.ndim else "no"
                raise DataError(
                    f"{self.name}: '{own[part]}' has {rows} rows, and there are {count} images",
                    "save one label for each image",
                )
            pieces.append(column_of(array, f"{self.name}: {own[part]}"))
        return joined_columns(pieces, list(own.values()))


def npz_reader(path: Path, image: ImageSettings, targets: tuple[str, ...]) -> Arrays:
    """A file, whose headers are read.

    Raises:
        DataError: It is damaged, holds Python objects, or no images.
    """

    def read(name: str) -> NDArray[Any]:
        try:
            with np.load(path, allow_pickle=False) as file:
                return np.asarray(file[name])
        except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise _unreadable(path, name, error) from error

    return Arrays(path.name, _shapes(path), read, image, targets)


def _shapes(path: Path) -> dict[str, Shape]:
    """Shapes of the arrays, from their headers."""
    found: dict[str, Shape] = {}
    name = ""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    version = np.lib.format.read_magic(member)
                    read = np.lib.format.read_array_header_1_0
                    if version != (1, 0):
                        read = np.lib.format.read_array_header_2_0
                    shape, _, kind = read(member)
                if kind.hasobject:
                    raise DataError(
                        f"{path.name}: '{name}' holds Python objects, which are never loaded",
                        "save numbers or texts: array.astype(float), or array.astype(str)",
                    )
                found[name.removesuffix(".npy")] = shape
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise _unreadable(path, name, error) from error
    return found


def _unreadable(path: Path, name: str, error: Exception) -> DataError:
    return DataError(
        f"{path.name}{f': {name}' if name else ''} cannot be read: {error!s:.200}",
        "save the file again with numpy.savez, and check that it is complete",
    )


def _by_part(names: Mapping[str, Shape]) -> dict[str, dict[str | None, str]]:
    """Names by what they hold and of which part; the part is None where it is not said."""
    found: dict[str, dict[str | None, str]] = {}
    for name in names:
        match = _OF_A_PART.fullmatch(name)
        if match is None:
            found.setdefault(name, {})[None] = name
            continue
        part = PART_OF[match["first"] or match["last"]]
        found.setdefault(match["rest"] or match["base"], {})[part] = name
    return {
        base: dict(sorted(parts.items(), key=lambda item: PARTS.index(item[0]) if item[0] else -1))
        for base, parts in found.items()
    }
