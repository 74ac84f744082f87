"""Variations of training images: what each may do to an image, and that a resumed training sees the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.unit.trainer.jobs import job
from tests.unit.trainer.pictures import digits, write_idx
from tests.unit.trainer.test_loop import URI, Hooks, weights
from trainyard_model import Batch
from trainyard_trainer.assembly import assemble
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import Prepared, prepare
from trainyard_trainer.errors import Stopped
from trainyard_trainer.evaluate.pixels import fit_pixels
from trainyard_trainer.fit.augment import Augment, background
from trainyard_trainer.fit.checkpoint import CheckpointStore
from trainyard_trainer.fit.feed import DevicePart
from trainyard_trainer.fit.settings import AugmentSettings
from trainyard_trainer.resolve import Job

ROWS = 300


def images(channels: int = 1, height: int = 7, width: int = 5) -> Tensor:
    """No two pixels of an image are alike within it, and the border has a colour of its own."""
    inner = torch.arange(channels * height * width, dtype=torch.uint8).view(1, channels, height, width) + 100
    one = torch.full((1, channels, height + 2, width + 2), 9, dtype=torch.uint8)
    one[:, 0] = 3
    one[:, :, 1:-1, 1:-1] = inner
    return one.expand(ROWS, -1, -1, -1).clone()


def varied(pixels: Tensor, seed: int = 0, **settings: float) -> Tensor:
    augment = Augment(AugmentSettings(**settings), pixels)  # type: ignore[arg-type]
    before = pixels.clone()
    target = torch.arange(len(pixels))
    found = augment(Batch((pixels,), target), torch.Generator().manual_seed(seed))
    assert (pixels == before).all()  # the data set itself stays as it is
    assert (found.target == target).all()
    assert found.inputs[0].dtype == torch.uint8
    assert found.inputs[0].shape == pixels.shape
    assert found.inputs[0].is_contiguous()
    return found.inputs[0]


def moved(image: Tensor, down: int, right: int, fill: Tensor) -> Tensor:
    """The slow way."""
    out = fill.view(-1, 1, 1).expand_as(image).clone()
    height, width = image.shape[1:]
    for y in range(height):
        for x in range(width):
            if 0 <= y - down < height and 0 <= x - right < width:
                out[:, y, x] = image[:, y - down, x - right]
    return out


@pytest.mark.parametrize("channels", [1, 3])
def test_a_shift_moves_by_whole_pixels_in_every_direction_alike(channels: int) -> None:
    pixels = images(channels)
    fill = background(pixels)
    assert fill.tolist() == [3, 9, 9][:channels]
    shifted = varied(pixels, shift_pixels=2)
    possible = torch.stack([moved(pixels[0], y, x, fill) for y in range(-2, 3) for x in range(-2, 3)])
    same = (shifted.unsqueeze(1) == possible.unsqueeze(0)).flatten(2).all(2)
    assert (same.sum(1) == 1).all()
    counts = same.sum(0)
    assert counts.min() >= 3  # 12 of each of the 25 are expected
    assert counts.max() <= 28


def test_half_of_the_images_are_mirrored() -> None:
    pixels = images(3)
    flipped = varied(pixels, horizontal_flip=True)
    mirrored = (flipped == pixels.flip(3)).flatten(1).all(1)
    assert ((flipped == pixels).flatten(1).all(1) ^ mirrored).all()
    assert 0.4 < mirrored.float().mean() < 0.6


def test_a_rotation_turns_about_the_centre() -> None:
    pixels = torch.full((ROWS, 2, 21, 31), 50, dtype=torch.uint8)
    pixels[:, :, 10, 8:23] = 250  # a bar through the centre
    turned = varied(pixels, rotate_degrees=90.0).float()
    assert (turned[:, :, 10, 15] > 200).all()
    assert (turned[:, :, 0, 0] == 50).all()
    ink = (turned - 50).sum((2, 3)) / (200 * 15)
    assert ink.min() > 0.85  # the bar keeps its length at every angle: pixels are square
    assert ink.max() < 1.2
    upright = (turned[:, 0, 4, 15] > 150).float().mean()
    assert 0.02 < upright < 0.25  # a bar of one pixel reaches 6 pixels up only where it is nearly upright
    assert (varied(pixels, rotate_degrees=0.001) == pixels).all()


def test_a_rectangle_is_blanked_in_some() -> None:
    pixels = torch.full((ROWS, 3, 20, 24), 200, dtype=torch.uint8)
    pixels[:, :, 0] = pixels[:, :, -1] = pixels[:, :, :, 0] = pixels[:, :, :, -1] = 7
    erased = varied(pixels, erase=0.5)
    gone = (erased != pixels).any(1)
    assert (erased.permute(0, 2, 3, 1)[gone] == 7).all()
    inside = gone[:, 1:-1, 1:-1]
    shares = inside.flatten(1).float().mean(1)
    assert 0.4 < (shares > 0).float().mean() < 0.6
    assert shares.max() < 0.45
    for one in inside[shares > 0][:50]:
        rows, columns = one.any(1), one.any(0)
        assert one.sum() == rows.sum() * columns.sum()  # a rectangle, wholly blank


def test_the_background_is_what_most_of_the_border_is() -> None:
    dark = torch.zeros((4, 1, 6, 6), dtype=torch.uint8)
    dark[:, :, 0, :3] = 255  # an object that reaches the border
    assert background(dark).tolist() == [0]
    assert background(255 - dark).tolist() == [255]


def convnet(folder: Path, **image: object) -> tuple[Job, Prepared]:
    one = job(
        URI,
        folder,
        model={
            "tabnet": None,
            "convnet": {"conv": [{"channels": 4}], "dense": [{"units": 8, "dropout": 0.2}]},
        },
        data={"source": {"uri": str(write_idx(folder, *digits(400, 5, 8)))}, "image": image},
        training={"epochs": 2, "batchSize": 64},
    )
    return one, prepare(load(one.data, folder)[0], one.data)


VARIED = {"augmentation": {"shiftPixels": 1, "rotateDegrees": 10, "horizontalFlip": True, "erase": 0.2}}


def test_a_resumed_training_sees_the_same_variations(tmp_path: Path) -> None:
    one, data = convnet(tmp_path, **VARIED)
    _, whole = assemble(one, data)
    whole.run(Hooks())
    store = CheckpointStore(tmp_path / "c", "x")
    _, first = assemble(one, data)
    with pytest.raises(Stopped):
        first.run(Hooks(store, stop_at=first.steps + 2))
    _, second = assemble(one, data)
    state = store.load()
    assert state is not None
    second.resume(state)
    second.run(Hooks())
    assert torch.equal(weights(second.network), weights(whole.network))
    plain, _ = convnet(tmp_path)
    _, other = assemble(plain, data)
    other.run(Hooks())
    assert not torch.equal(weights(other.network), weights(whole.network))


def test_the_linear_baseline_of_images(tmp_path: Path) -> None:
    _, data = convnet(tmp_path)
    scores = fit_pixels(data, DevicePart(data.train, "cpu"), 0, lambda: False)
    found = scores(data.rows.test)
    assert found.shape == (len(data.rows.test), 5)
    assert found.sum(1) == pytest.approx(1.0)
    assert (found.argmax(1) == data.target.labels[data.rows.test]).mean() > 0.95
