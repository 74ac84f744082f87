"""Images for tests, and files of them in every format."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CODES = {np.dtype("u1"): 0x08, np.dtype("i4"): 0x0C, np.dtype("f4"): 0x0D}


def digits(
    rows: int = 60, classes: int = 3, side: int = 6, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Noisy images whose class is the bright row; labels come in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    images = rng.integers(0, 60, (rows, side, side), dtype=np.uint8)
    images[np.arange(rows), labels + 1] = rng.integers(180, 256, (rows, side), dtype=np.uint8)
    return images, labels


def idx(values: NDArray[Any]) -> bytes:
    """The bytes of an IDX file."""
    head = struct.pack(">HBB", 0, CODES[values.dtype], values.ndim)
    return (
        head
        + struct.pack(f">{values.ndim}I", *values.shape)
        + values.astype(values.dtype.newbyteorder(">")).tobytes()
    )


def write_idx(
    folder: Path, images: NDArray[Any], labels: NDArray[Any], name: str = "a", zipped: bool = False
) -> Path:
    """Both files, called as MNIST's are; where the images are."""
    end = ".gz" if zipped else ""
    for kind, values in (("images-idx3", images), ("labels-idx1", labels.astype("u1"))):
        content = idx(values)
        (folder / f"{name}-{kind}-ubyte{end}").write_bytes(gzip.compress(content) if zipped else content)
    return folder / f"{name}-images-idx3-ubyte{end}"


def encoded(pixels: NDArray[np.uint8], form: str = "PNG", mode: str | None = None, **options: Any) -> bytes:
    """An image file."""
    image = Image.fromarray(pixels)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, form, **options)
    return out.getvalue()


def files(images: NDArray[np.uint8], labels: NDArray[Any], top: str = "") -> dict[str, bytes]:
    """Image files by relative name, each in the folder of its class."""
    return {
        f"{top}class{label}/{i:03d}.png": encoded(image)
        for i, (image, label) in enumerate(zip(images, labels, strict=True))
    }


def write_folder(folder: Path, content: Mapping[str, bytes]) -> Path:
    """Files below a folder."""
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def write_zip(path: Path, content: Mapping[str, bytes]) -> Path:
    """Files of a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, content: Mapping[str, bytes]) -> Path:
    """Files of a tar, compressed as its name says."""
    mode: Any = "w:gz" if path.name.endswith("gz") else "w"
    with tarfile.open(path, mode) as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path
