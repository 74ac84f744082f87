"""A folder of images, or an archive of one: the folder that an image lies in is its class.

    cats/1.png  cats/2.jpg  dogs/1.png              classes cats and dogs
    train/cats/1.png  test/cats/9.png  ...          the same, in parts

Files that are no images by the ending of their name, and hidden ones, are skipped and counted; an image that
cannot be read is an error, because a model would be trained on other data than people think.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from trainyard_model.pictures import Picture, PictureError, decode, resized
from trainyard_trainer.data.images.build import CHANNELS, LABEL, PARTS, image_table, need_of
from trainyard_trainer.data.images.members import Members
from trainyard_trainer.data.partition import PART_OF
from trainyard_trainer.data.settings import ImageSettings
from trainyard_trainer.data.table import Images, Table, Texts
from trainyard_trainer.errors import DataError
from trainyard_trainer.threads import thread_count

ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".tga", ".avif"),
)
_AT_ONCE = 256
_NAMED = 5
_LAYOUT = "put each class's images into a folder of its own: cats/1.png, dogs/1.png"


@dataclass(frozen=True, slots=True)
class Found:
    """An image file: its class, and the position of its part in PARTS (None: no parts)."""

    name: str
    label: str
    part: int | None


class FolderReader:
    """A folder or an archive, whose names and first image are known."""

    def __init__(self, name: str, members: Members, image: ImageSettings, target: str | None) -> None:
        self.name, self.members, self.image, self.target = name, members, image, target
        names, self.said = _image_names(members.names, name)
        self.found = _sorted_out(names, name)
        self.need = need_of((len(names), *self._first()), image)

    def _first(self) -> tuple[int, int, int]:
        """Size and channels of the first image that can be read."""
        for _, content in self.members.contents([file.name for file in self.found]):
            with contextlib.suppress(PictureError):
                height, width, channels = decode(content, self.image.channels).shape
                return height, width, channels
        raise DataError(f"none of the {len(self.found):,} images of {self.name} can be read", "check them")

    def read(self) -> tuple[Table, list[str]]:
        """The table: image, label, and part where there are parts.

        Raises:
            DataError: Images cannot be read, or differ in size or channels and are not to be converted.
        """
        pixels: NDArray[np.uint8] | None = None
        broken: list[str] = []
        row = {file.name: i for i, file in enumerate(self.found)}
        with ThreadPoolExecutor(thread_count()) as pool:
            contents = self.members.contents(list(row))
            while some := list(islice(contents, _AT_ONCE)):
                for name, picture in pool.map(self._picture, some):
                    if isinstance(picture, str):
                        broken.append(f"{name} {picture}")
                        continue
                    if pixels is None:
                        like, (height, width, channels) = name, picture.shape
                        pixels = np.zeros((len(self.found), channels, height, width), dtype=np.uint8)
                    if picture.shape != (height, width, channels):
                        raise _different((like, (height, width, channels)), (name, picture.shape))
                    pixels[row[name]] = picture.transpose(2, 0, 1)
        if broken or pixels is None:
            raise _cannot_be_read(sorted(broken), len(self.found))
        images = Images(pixels, np.array([file.name for file in self.found]))
        classes = sorted({file.label for file in self.found})
        number = {label: code for code, label in enumerate(classes)}
        labels = Texts(tuple(classes), np.array([number[file.label] for file in self.found], dtype=np.int32))
        parts = [file.part for file in self.found if file.part is not None]
        return (
            image_table(
                images, {self.target or LABEL: labels}, np.array(parts, dtype=np.int32) if parts else None
            ),
            self.said,
        )

    def _picture(self, file: tuple[str, bytes]) -> tuple[str, Picture | str]:
        """The name, and the picture or what is wrong with it."""
        name, content = file
        try:
            picture = decode(content, self.image.channels)
        except PictureError as error:
            return name, str(error)
        return name, picture if self.image.size is None else resized(picture, *self.image.size)


def _image_names(names: Sequence[str], archive: str) -> tuple[list[str], list[str]]:
    """Names of images, and what is said of the others."""
    shown = [name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts)]
    images = [name for name in shown if name.lower().endswith(ENDINGS)]
    said = []
    if skipped := [name for name in shown if not name.lower().endswith(ENDINGS)]:
        said.append(f"{len(skipped)} files that are no images are skipped ({', '.join(skipped[:3])})")
    if hidden := len(names) - len(shown):
        said.append(f"{hidden} hidden files are skipped")
    if not images:
        what = f"{len(names)} files, none of which is an image" if names else "no files"
        raise DataError(f"{archive} holds {what}", f"check data.source.uri; {_LAYOUT}")
    return images, said


def _sorted_out(names: Sequence[str], archive: str) -> list[Found]:
    """Class and part of each image, by the folders that it lies in."""
    paths = [PurePosixPath(name).parts for name in names]
    while all(len(parts) > 2 for parts in paths) and len({parts[0] for parts in paths}) == 1:
        paths = [parts[1:] for parts in paths]  # archives often hold one folder that holds it all
    tops = {parts[0].lower() for parts in paths if len(parts) > 2}
    has_parts = len(tops) > 1 and "train" in map(PART_OF.get, tops)
    found = []
    for name, parts in zip(names, paths, strict=True):
        folders = list(parts[:-1])
        part = PART_OF.get(folders.pop(0).lower()) if has_parts and folders else None
        if has_parts and part is None:
            raise DataError(
                f"{archive}: {name} lies beside the folders of the parts",
                "move it into train, validation or test",
            )
        if not folders:
            raise DataError(f"{archive}: {name} lies in no folder of a class", _LAYOUT)
        found.append(Found(name, folders[0], None if part is None else PARTS.index(part)))
    return found


def _different(first: tuple[str, tuple[int, ...]], other: tuple[str, tuple[int, ...]]) -> DataError:
    (name, (height, width, channels)), (name2, (height2, width2, channels2)) = first, other
    if (height, width) != (height2, width2):
        return DataError(
            f"images differ in size: {name} has {height} x {width} pixels, {name2} has {height2} x {width2}",
            f"set data.image.resize, for example {{height: {height}, width: {width}}}",
        )
    wider = max(channels, channels2)
    return DataError(
        f"images differ in channels: {name} is {CHANNELS[channels]}, {name2} is {CHANNELS[channels2]}",
        f"set data.image.channels: {wider} ({CHANNELS[wider]}), or another number",
    )


def _cannot_be_read(broken: Sequence[str], count: int) -> DataError:
    shown = "; ".join(broken[:_NAMED]) + ("; ..." if len(broken) > _NAMED else "")
    return DataError(
        f"{len(broken)} of {count:,} images cannot be used: {shown}",
        "repair or remove them: none is left out silently",
    )
