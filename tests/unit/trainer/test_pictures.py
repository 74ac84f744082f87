"""Pictures: the numbers that Pillow's own conversions give, and values that are none refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.unit.trainer.pictures import encoded
from trainyard_model.pictures import PictureError, decode, resized, to_uint8, with_channels

COLOUR = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)


def test_grey_is_what_pillow_makes_of_colour() -> None:
    assert (with_channels(COLOUR, 1)[:, :, 0] == np.asarray(Image.fromarray(COLOUR).convert("L"))).all()
    grey = COLOUR[:, :, :1]
    assert (with_channels(grey, 3) == np.repeat(grey, 3, 2)).all()
    assert (with_channels(with_channels(COLOUR, 4), 3) == COLOUR).all()
    assert (with_channels(COLOUR, 4)[:, :, 3] == 255).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_file_gives_its_pixels(mode: str) -> None:
    stored = np.asarray(Image.fromarray(COLOUR).convert(mode))
    found = decode(encoded(COLOUR, mode=mode))
    assert found.ndim == 3
    assert (found == stored.reshape(found.shape)).all()
    assert (decode(encoded(COLOUR, mode=mode), 1) == with_channels(found, 1)).all()


def test_a_server_reads_no_other_formats() -> None:
    assert decode(encoded(COLOUR, "BMP")).shape == (9, 7, 3)
    with pytest.raises(PictureError, match="no image format that is known"):
        decode(encoded(COLOUR, "BMP"), formats=("PNG", "JPEG"))


def test_more_than_8_bits_are_refused_in_colour_too() -> None:
    deep = Image.fromarray(np.zeros((4, 4), dtype=np.int32))
    out = io.BytesIO()
    deep.save(out, "TIFF")
    with pytest.raises(PictureError, match="more than 8 bits a channel"):
        decode(out.getvalue())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.0, 0.5, 1.0]), [0, 128, 255]),
        (np.array([0.0, 1.4, 254.6]), [0, 1, 255]),
        (np.array([0, 1], dtype=np.int64), [0, 1]),
        (np.array([False, True]), [0, 255]),
        (np.array([], dtype=np.float32), []),
    ],
)
def test_numbers_become_0_to_255(values: NDArray[Any], expected: list[int]) -> None:
    found = to_uint8(values)
    assert found.dtype == np.uint8
    assert found.tolist() == expected


@pytest.mark.parametrize("values", [[-1], [256], [np.nan], [0.5, np.inf], ["a"], [None]])
def test_numbers_that_are_no_pixels(values: list[Any]) -> None:
    with pytest.raises(PictureError):
        to_uint8(np.array(values))


def test_resizing_keeps_a_plain_area_plain() -> None:
    for channels in (1, 3, 4):
        plain = np.full((9, 6, channels), 77, dtype=np.uint8)
        found = resized(plain, 4, 12)
        assert found.shape == (4, 12, channels)
        assert np.abs(found.astype(int) - 77).max() <= 1  # colours are weighed by their alpha and back
