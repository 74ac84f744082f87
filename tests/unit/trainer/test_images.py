"""Images from every format: the same pixels and labels, in their parts, or an error that names the file."""

from __future__ import annotations

import base64
import gzip
import io
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.unit.trainer.pictures import (
    digits,
    encoded,
    files,
    idx,
    write_folder,
    write_idx,
    write_tar,
    write_zip,
)
from trainyard_model.preprocess import ImagePreprocessor
from trainyard_trainer.data import memory
from trainyard_trainer.data.frame import table_from_frame
from trainyard_trainer.data.identity import data_digest, row_hashes
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import Prepared, prepare
from trainyard_trainer.data.settings import (
    ColumnSettings,
    DataSettings,
    ImageSettings,
    SourceSettings,
    SplitSettings,
)
from trainyard_trainer.data.table import Images, Table, Texts
from trainyard_trainer.errors import DataError, InvalidSpec

IMAGES, LABELS = digits()


def loaded(path: Path, **options: Any) -> tuple[Table, list[str]]:
    source = SourceSettings(str(path), labels=options.pop("labels", None), sha256=options.pop("sha256", None))
    return load(DataSettings(source, inputs="image", **options), path.parent / "downloads")


def prepared(path: Path, **options: Any) -> Prepared:
    source = SourceSettings(str(path), labels=options.pop("labels", None))
    settings = DataSettings(source, inputs="image", **options)
    table, notices = load(settings, path.parent / "downloads")
    return prepare(table, settings, notices)


def pixels(table: Table) -> NDArray[np.uint8]:
    column = table.columns["image"]
    assert isinstance(column, Images)
    return column.pixels


def words(table: Table, name: str) -> list[str]:
    return [str(cell) for cell in table.columns[name].as_texts().cells()]


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_the_same_images_from_arrays_of_every_format(tmp_path: Path) -> None:
    plain = loaded(write_idx(tmp_path, IMAGES, LABELS))[0]
    assert (pixels(plain)[:, 0] == IMAGES).all()
    assert words(plain, "label") == [str(label) for label in LABELS]
    others = [
        loaded(write_idx(tmp_path, IMAGES, LABELS, "b", zipped=True))[0],
        loaded(save(tmp_path / "a.npz", image=IMAGES, label=LABELS))[0],
        loaded(save(tmp_path / "f.npz", image=IMAGES / 255.0, label=LABELS))[0],
        loaded(save(tmp_path / "g.npz", image=IMAGES.astype(np.float32)[..., None], label=LABELS[:, None]))[
            0
        ],
        table_from_frame({"image": IMAGES, "label": LABELS})[0],
    ]
    assert {data_digest(other) for other in others} == {data_digest(plain)}


def test_the_same_images_from_files_of_every_kind(tmp_path: Path) -> None:
    content = files(IMAGES, LABELS)
    folder = loaded(write_folder(tmp_path / "d", content))[0]
    order = sorted(range(len(LABELS)), key=lambda i: (LABELS[i], i))
    assert (pixels(folder)[:, 0] == IMAGES[order]).all()
    assert words(folder, "label") == [f"class{LABELS[i]}" for i in order]
    assert folder.place(1) == "class0/003.png"
    shuffled = dict(reversed(content.items()))
    nested = {f"dataset/v1/{name}": data for name, data in content.items()}
    archives = [
        write_zip(tmp_path / "a.zip", content),
        write_tar(tmp_path / "a.tar", shuffled),
        write_tar(tmp_path / "a.tar.gz", nested),
    ]
    assert {data_digest(loaded(path)[0]) for path in archives} == {data_digest(folder)}


@pytest.mark.parametrize("kind", ["folder", "npz", "medmnist"])
def test_parts_that_the_data_come_in_are_kept(tmp_path: Path, kind: str) -> None:
    test_images, test_labels = digits(21, seed=1)
    if kind == "folder":
        content = files(IMAGES, LABELS, "Train/") | files(test_images, test_labels, "test/")
        path = write_folder(tmp_path / "d", content)
    else:
        names = {"npz": ("x_train", "y_train", "x_test", "y_test")}.get(
            kind, ("train_images", "train_labels", "test_images", "test_labels")
        )
        path = save(
            tmp_path / "a.npz", **dict(zip(names, (IMAGES, LABELS, test_images, test_labels), strict=True))
        )
    data = prepared(path, split=SplitSettings(0.2, 0.1))
    assert len(data.rows.test) == 21
    assert sorted(pixels(data.table)[data.rows.test].tobytes()) == sorted(test_images.tobytes())
    assert (len(data.rows.train), len(data.rows.validation)) == (48, 12)  # cut off the training images
    assert any("come in parts" in notice for notice in data.notices)
    if kind != "folder":  # whose images come class by class
        mixed = prepared(path, split=SplitSettings(0.2, 0.5, by="Order"))
        assert len(mixed.rows.test) > 30  # something else was asked to decide


def test_files_of_parts_have_labels_of_their_own(tmp_path: Path) -> None:
    train, test = (
        write_idx(tmp_path, IMAGES, LABELS, "train"),
        write_idx(tmp_path, IMAGES[:9], LABELS[:9], "t10k"),
    )
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    split = SplitSettings(by="Files", test_file=SourceSettings(str(test), labels=SourceSettings(str(labels))))
    data = prepared(train, split=split, target="digit")
    assert data.schema.targets == ("digit",)
    assert data.rows.test.tolist() == list(range(60, 69))
    assert data.target.values[data.rows.test].tolist() == LABELS[:9].tolist()
    assert any("9 of " in notice and "possible leakage" in notice for notice in data.leakage)
    wrong = SourceSettings(str(test), labels=SourceSettings(str(labels), sha256="0" * 64))
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte is not what was pinned"):
        prepared(train, split=SplitSettings(by="Files", test_file=wrong))


def test_the_pin_of_a_folder_is_what_sha256sum_says(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", files(IMAGES[:6], LABELS[:6]) | {"b c.txt": b"x"})
    command = "find * -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    said = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert loaded(folder, sha256=said[:64])[0].rows == 6
    (folder / "class0/000.png").write_bytes(encoded(IMAGES[1]))
    with pytest.raises(DataError, match=r"d is not what was pinned"):
        loaded(folder, sha256=said[:64])


def test_equal_images_stay_together(tmp_path: Path) -> None:
    images = np.concatenate([IMAGES, IMAGES[:30]])
    data = prepared(write_idx(tmp_path, images, np.concatenate([LABELS, LABELS[:30]])))
    part = np.zeros(90, dtype=int)
    part[data.rows.validation], part[data.rows.test] = 1, 2
    assert (part[:30] == part[60:]).all()
    assert set(part) == {0, 1, 2}


@pytest.mark.parametrize("shape", [(40, 1, 5, 5), (40, 3, 4, 4), (40, 1, 3, 2)])
def test_every_pixel_counts_in_a_hash(shape: tuple[int, ...]) -> None:
    base = np.random.default_rng(0).integers(0, 2, shape, dtype=np.uint8) * 255
    size = int(np.prod(shape[1:]))
    base[:] = base[0]
    for i in range(min(size, 39)):
        base[i + 1].reshape(-1)[i] ^= 128
    table = Table({"image": Images(base)}, len(base))
    assert len(np.unique(row_hashes(table, ["image"]))) == min(size, 39) + 1
    turned = Table({"image": Images(base[:1].transpose(0, 1, 3, 2).copy())}, 1)
    if shape[2] != shape[3]:
        assert row_hashes(turned, ["image"])[0] != row_hashes(table, ["image"])[0]


def exif_rotated(image: NDArray[np.uint8]) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    return encoded(image, "JPEG", exif=exif, quality=95)


def test_what_is_served_is_what_was_trained(tmp_path: Path) -> None:
    """Files of every mode and size give the network the same pixels by the reader and by a request."""
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    content = {
        "a/grey.png": encoded(colour[:, :, 0]),
        "a/colour.png": encoded(colour),
        "a/alpha.png": encoded(rng.integers(0, 256, (5, 8, 4), dtype=np.uint8)),
        "b/palette.png": encoded(colour, mode="P"),
        "b/bits.png": encoded(colour, mode="1"),
        "b/greyalpha.png": encoded(colour, mode="LA"),
        "b/cmyk.jpg": encoded(colour, "JPEG", "CMYK"),
        "b/turned.jpg": exif_rotated(colour),
    }
    for channels in (1, 3, 4):
        folder = write_folder(tmp_path / str(channels), content)
        split = SplitSettings(0.0, 0.0)
        data = prepared(folder, split=split, image=ImageSettings((6, 6), channels))
        assert isinstance(data.preprocessor, ImagePreprocessor)
        table = data.table.columns["image"]
        assert isinstance(table, Images)
        assert table.files is not None
        cells = [base64.b64encode(content[name]).decode() for name in table.files]
        (served,) = data.preprocessor.encode({"image": cells})
        assert (served == data.train.inputs[0]).all()
        assert served.shape == (8, channels, 6, 6)
        (raw,) = data.preprocessor.encode(data.raw(data.rows.train))
        assert (raw == served).all()


def test_a_photograph_is_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    image = np.zeros((16, 8), dtype=np.uint8)
    image[:, :4] = 255
    content = {"a/1.jpg": exif_rotated(image), "b/1.jpg": exif_rotated(255 - image)}
    table = loaded(write_folder(tmp_path / "d", content))[0]
    assert pixels(table).shape == (2, 1, 8, 16)
    assert pixels(table)[0, 0, 0].mean() > 240
    assert pixels(table)[0, 0, -1].mean() < 15


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 4), shade, dtype=np.uint8)) for shade in (10, 200)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    content = {"a/1.gif": out.getvalue(), "b/1.gif": out.getvalue()}
    table = loaded(write_folder(tmp_path / "d", content), image=ImageSettings(channels=1))[0]
    assert (pixels(table) == 10).all()


def test_means_and_spreads_are_those_of_the_training_pixels(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 5, 4, 3), dtype=np.uint8)
    images[..., 2] = 7
    data = prepared(save(tmp_path / "a.npz", x=images, y=LABELS), split=SplitSettings(0.2, 0.3))
    fitted = data.preprocessor
    assert isinstance(fitted, ImagePreprocessor)
    train = images[data.rows.train] / 255.0
    assert fitted.means == pytest.approx(train.mean((0, 1, 2)))
    assert fitted.scales[:2] == pytest.approx(train.std((0, 1, 2))[:2])
    assert fitted.scales[2] == 1.0  # a channel of one value divides by 1
    assert data.schema.targets == ("y",)
    assert (data.train.inputs[0] == images[data.rows.train].transpose(0, 3, 1, 2)).all()


def test_numbers_are_a_regression_and_other_arrays_are_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = save(
        tmp_path / "a.npz",
        images=IMAGES,
        age=rng.normal(40, 9, 60),
        weight=np.ones(60),
        who=LABELS.astype(str),
        odd=np.ones(3),
    )
    data = prepared(path, target="age", split=SplitSettings(by="Group", column="who"))
    assert data.schema.task == "Regression"
    assert [column.role for column in data.schema.columns] == ["image"]
    assert set(data.table.columns) == {"image", "weight", "who", "age"}
    assert any("odd' has 3 rows" in notice for notice in data.notices)
    assert any("column 'weight' is left out" in notice for notice in data.notices)


def test_files_that_are_no_images_are_counted(tmp_path: Path) -> None:
    content = files(IMAGES, LABELS) | {"readme.txt": b"x", "class0/._000.png": b"x", ".DS_Store": b"x"}
    _, notices = loaded(write_folder(tmp_path / "d", content))
    assert notices == ["1 files that are no images are skipped (readme.txt)", "2 hidden files are skipped"]


def test_images_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    content = files(IMAGES, LABELS)
    for i, name in enumerate(sorted(content)[10:17]):
        content[name] = content[name][: -30 - i] if i % 2 else b"no image"
    with pytest.raises(DataError) as caught:
        loaded(write_folder(tmp_path / "d", content))
    assert "7 of 60 images cannot be used: class0/030.png cannot be read as an image" in caught.value.message
    assert caught.value.message.count(".png") == 5
    assert "none is left out silently" in caught.value.remedy


BIG = np.zeros((8, 6), dtype=np.uint8)
ONE, SMALL, COLOUR = encoded(BIG), encoded(BIG[:6]), encoded(np.stack([BIG] * 3, 2))
DEEP = encoded(BIG.astype(np.uint16))
FOLDERS: list[tuple[dict[str, bytes], str]] = [
    ({}, "d holds no files"),
    ({"a/x.txt": b"x"}, "d holds 1 files, none of which is an image"),
    ({"1.png": ONE, "2.png": ONE}, "1.png lies in no folder of a class"),
    ({"a/1.png": ONE, "2.png": ONE}, "2.png lies in no folder of a class"),
    ({"train/a/1.png": ONE, "b/a/1.png": ONE, "test/b/1.png": ONE}, "b/a/1.png lies beside the folders of"),
    ({"a/1.png": ONE, "b/1.png": SMALL}, "a/1.png has 8 x 6 pixels, b/1.png has 6 x 6"),
    ({"a/1.png": ONE, "b/1.png": COLOUR}, "a/1.png is grey, b/1.png is colour"),
    ({"a/1.png": DEEP, "b/1.png": ONE}, "a/1.png has more than 8 bits a channel"),
    ({"a/1.png": b"x", "b/1.png": b""}, "none of the 2 images of d can be read"),
    ({"a/1.png": ONE, "a/2.png": encoded(BIG + 1)}, "target 'label' has one class only"),
]


@pytest.mark.parametrize(("content", "message"), FOLDERS, ids=range(len(FOLDERS)))
def test_folders_that_cannot_be_trained_on(tmp_path: Path, content: dict[str, bytes], message: str) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(DataError) as caught:
        prepared(write_folder(tmp_path / "d", content))
    assert message in caught.value.message
    assert caught.value.remedy


def test_a_file_made_to_fill_the_memory_is_refused(tmp_path: Path) -> None:
    bomb = Image.new("1", (12_000, 12_000))
    out = io.BytesIO()
    bomb.save(out, "PNG")
    content = {"a/1.png": encoded(BIG), "b/1.png": out.getvalue()}
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(DataError, match=r"b/1\.png claims to have more than"),
    ):
        loaded(write_folder(tmp_path / "d", content))


@pytest.mark.parametrize("name", ["../a/1.png", "/a/1.png", "a\\..\\..\\1.png", "C:/a/1.png"])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path: Path, name: str) -> None:
    content = {**files(IMAGES[:4], LABELS[:4]), name: encoded(BIG)}
    for path in (write_zip(tmp_path / "a.zip", content), write_tar(tmp_path / "a.tar.gz", content)):
        with pytest.raises(DataError, match="whose name leads out of it"):
            loaded(path)


def test_archives_that_are_cut_short(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar.gz", files(IMAGES, LABELS))
    tar.write_bytes(tar.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"a\.tar\.gz cannot be read"):
        loaded(tar)
    packed = write_zip(tmp_path / "a.zip", files(IMAGES, LABELS))
    content = bytearray(packed.read_bytes())
    content[60:70] = b"0123456789"
    packed.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: class0/000\.png cannot be read"):
        loaded(packed)


IDX, IDX_LABELS = idx(IMAGES), idx(LABELS.astype("u1"))
BAD_IDX: list[tuple[bytes, bytes, str]] = [
    (b"\x01\x02" + IDX[2:], IDX_LABELS, "images is no IDX file: it begins with 01 02 08 03"),
    (b"", IDX_LABELS, "images is no IDX file: it begins with nothing"),
    (IDX[:-5], IDX_LABELS, "images holds 2,155 of the 2,160 bytes that its header promises"),
    (IDX + b"x", IDX_LABELS, "images holds more than the 2,160 bytes"),
    (IDX[:9], IDX_LABELS, "images ends within its header"),
    (gzip.compress(IDX)[:-90], IDX_LABELS, "images cannot be unpacked"),
    (IDX, idx(LABELS[:-1].astype("u1")), "images holds 60 images, labels 59 labels"),
    (IDX_LABELS, IDX, "images has 1 dimensions; images have 3 (rows, height, width); are the two files"),
    (IDX, IDX, "labels has 3 dimensions; labels have 1"),
    (idx(IMAGES.astype("i4") * 9), IDX_LABELS, "images has values from 0 to"),
]


@pytest.mark.parametrize(("images", "labels", "message"), BAD_IDX, ids=range(len(BAD_IDX)))
def test_idx_files_that_cannot_be_read(tmp_path: Path, images: bytes, labels: bytes, message: str) -> None:
    (tmp_path / "images").write_bytes(images)
    (tmp_path / "labels").write_bytes(labels)
    settings = DataSettings(
        SourceSettings(
            str(tmp_path / "images"), labels=SourceSettings(str(tmp_path / "labels")), format="IDX"
        ),
        inputs="image",
    )
    with pytest.raises(DataError) as caught:
        load(settings, tmp_path)
    assert message in caught.value.message
    assert caught.value.remedy


def test_idx_images_need_labels(tmp_path: Path) -> None:
    path = write_idx(tmp_path, IMAGES, LABELS)
    assert "the labels are read from a-labels-idx1-ubyte" in loaded(path)[1][0]
    (tmp_path / "a-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="holds images without labels") as caught:
        loaded(path)
    assert "data.source.labels.uri" in caught.value.remedy
    with pytest.raises(InvalidSpec, match=r"data\.source\.labels goes with IDX"):
        loaded(save(tmp_path / "a.npz", image=IMAGES, label=LABELS), labels=SourceSettings(str(path)))


FIRST = np.zeros((60, 3, 6, 6), np.uint8)
PARTS = {"x_train": IMAGES, "y_train": LABELS}
NARROW = {"x_test": IMAGES[:, :5], "y_test": LABELS}
BAD_NPZ: list[tuple[dict[str, Any], str | None, str]] = [
    ({"x": IMAGES, "y": np.array([{}] * 60, dtype=object)}, None, "holds Python objects, which are never"),
    ({"x": IMAGES.reshape(60, 36), "y": LABELS}, None, "holds no array of images; there is 'x' (60, 36)"),
    ({"a": IMAGES, "b": IMAGES}, None, "holds several arrays of images"),
    ({"x": FIRST, "y": LABELS}, None, "has the shape (60, 3, 6, 6), which is none of images"),
    ({"x": IMAGES * 1000.0, "y": LABELS}, None, "x has values from 0 to 2"),
    ({"x": np.where(IMAGES > 9, np.nan, 1.0), "y": LABELS}, None, "x has values from nan"),
    ({"x": IMAGES.astype(str), "y": LABELS}, None, "x holds no numbers"),
    ({"x": IMAGES, "y": LABELS[:-1]}, "y", "'y' has 59 rows, and there are 60 images"),
    ({"x": IMAGES, "y": np.eye(3)[LABELS]}, "y", "y holds float64 of shape (60, 3), not one label an image"),
    ({"x": IMAGES, "labels": LABELS}, "label", "no array 'label'; did you mean 'labels'?"),
    ({"x": IMAGES}, None, "no column is left to predict"),
    ({**PARTS, "x_test": IMAGES}, "y", "'y' and 'x' have not the same parts (test)"),
    ({**PARTS, **NARROW}, None, "x_test holds images of 5 x 6 pixels"),
]


@pytest.mark.parametrize(("arrays", "target", "message"), BAD_NPZ, ids=range(len(BAD_NPZ)))
def test_arrays_that_cannot_be_trained_on(
    tmp_path: Path, arrays: dict[str, Any], target: str | None, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        prepared(save(tmp_path / "a.npz", **arrays), target=target)
    assert message in caught.value.message
    assert caught.value.remedy


def test_a_broken_npz(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", image=IMAGES, label=LABELS)
    content = bytearray(path.read_bytes())
    content[400:420] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz: image\.npy cannot be read"):
        loaded(path)


def test_models_read_what_they_can(tmp_path: Path) -> None:
    path = write_idx(tmp_path, IMAGES, LABELS)
    for inputs in ("table", "text"):
        settings = DataSettings(SourceSettings(str(path)), inputs=inputs)  # type: ignore[arg-type]
        with pytest.raises(DataError, match="the data are images, which this model does not read"):
            prepare(load(settings, tmp_path)[0], settings)
    (tmp_path / "t.csv").write_text("a,y\n" + "1,2\n" * 30)
    with pytest.raises(DataError, match="the data hold no images"):
        prepared(tmp_path / "t.csv")
    (tmp_path / "one.png").write_bytes(encoded(BIG))
    with pytest.raises(DataError, match=r"one\.png is a single image"):
        loaded(tmp_path / "one.png")
    with pytest.raises(DataError, match=r"data\.columns\.key: column 'image' holds the images"):
        prepared(path, target="label", columns=ColumnSettings(key=("image",)))


def test_memory_is_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "limit_bytes", lambda: 1 << 30)
    (tmp_path / "images").write_bytes(
        bytes([0, 0, 8, 3]) + (10_000).to_bytes(4, "big") + (256).to_bytes(4, "big") * 2
    )
    with pytest.raises(DataError, match=r"needs about 1\.5 GiB of memory; this machine or pod has 1\.0 GiB"):
        loaded(tmp_path / "images", labels=SourceSettings(str(tmp_path / "images")))
    folder = write_folder(tmp_path / "d", {f"{c}/{i}.png": encoded(BIG) for c in "ab" for i in range(3)})
    with pytest.raises(DataError, match="needs about 1"):
        loaded(folder, image=ImageSettings((10_000, 10_000)))


def test_a_class_of_one_image_trains_and_is_said(tmp_path: Path) -> None:
    content = files(IMAGES, LABELS) | {"rare/1.png": encoded(IMAGES[0] // 2)}
    data = prepared(write_folder(tmp_path / "d", content))
    rare = data.target.classes.index("rare")
    assert rare in data.target.labels[data.rows.train]
    assert any("'rare'" in notice and "never judged" in notice for notice in data.notices)


def test_part_is_no_class_where_there_are_no_parts(tmp_path: Path) -> None:
    content = {f"{c}/{i}.png": encoded(IMAGES[i]) for i, c in enumerate(["train", "bus", "valid"] * 10)}
    data = prepared(write_folder(tmp_path / "d", content))
    assert data.target.classes == ("bus", "train", "valid")
    assert isinstance(data.table.columns["label"], Texts)
