"""Pretrained vectors: what is read of a file, and what is refused with which line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from trainyard_trainer.data.fit_text import start
from trainyard_trainer.data.vectors import Vectors, read_vectors
from trainyard_trainer.errors import DataError

GOOD = "the 0.1 -0.2 0.3\ncat 1 2 3\n. . 0.5 0.5 0.5\nünd 1e-3 0 -1.5\n\nunwanted 9 9 9\n"
WANTED = frozenset({"cat", "ünd", "the", "dog"})


def written(folder: Path, content: bytes | str, name: str = "v.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_wanted_words_and_nothing_else(tmp_path: Path, packed: bool) -> None:
    content = gzip.compress(GOOD.encode()) if packed else GOOD.encode()
    found = read_vectors(written(tmp_path, content), WANTED, 3)
    assert set(found.row) == {"the", "cat", "ünd"}
    assert found.matrix.shape == (3, 3)
    assert found.matrix[found.row["ünd"]].tolist() == pytest.approx([1e-3, 0.0, -1.5])
    assert found.matrix.dtype == np.float32


@pytest.mark.parametrize(
    ("content", "message", "remedy"),
    [
        ("4 3\nthe 1 2 3\n", "line 1: '4 3' is the header of word2vec's format", "remove the first line"),
        ("the 1 2 3\ncat 1 2\n", "line 2: 2 numbers, but line 1 has 3", "complete"),
        ("the 1 2 3\ncat 1 2 3 4\n", "line 2: 4 numbers, but line 1 has 3", "complete"),
        ("the 1 2 3\nc", "line 2: 0 numbers, but line 1 has 3", "complete"),
        ("the 1 2 3\nx 1 2 3\ncat 1 two 3\n", "line 3: 'two' is not a number", "correct that line"),
        ("the 1 2 3\ncat 1 nan 3\n", "line 2: 'nan' is not a number", "correct that line"),
        ("the 1 2 3\ncat 1 inf 3\n", "line 2: 'inf' is not a number", "correct that line"),
        ("cat 1 2 3\nthe 1 2 3\ncat 4 5 6\n", "line 3: 'cat' is already in line 1", "remove one"),
        ("the 1 2 3 4\n", "vectors of 4 numbers, but the model's embeddingSize is 3", "embeddingSize: 4"),
        ("the\t1\t2\t3\n", "line 1: no word with its numbers", "GloVe"),
        ("", "v.txt is empty", "data.text.vectors.uri"),
        (b"PK\x03\x04abc", "v.txt is a zip archive", "unpack it"),
        (b"\x80\x04\x95\x00\x00 \x00\n", "line 1: no word with its numbers", "GloVe"),
        (gzip.compress(GOOD.encode())[:40], "v.txt cannot be read", "complete"),
    ],
)
def test_what_is_refused_and_how(tmp_path: Path, content: bytes | str, message: str, remedy: str) -> None:
    with pytest.raises(DataError) as caught:
        read_vectors(written(tmp_path, content), WANTED, 3)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_the_start_of_an_embedding() -> None:
    known = Vectors(np.array([[1.0, -1.0], [3.0, 5.0]], dtype=np.float32), {"a": 0, "b": 1})
    found = start(["b", "new", "a"], known, 7)
    assert found.shape == (5, 2)
    assert found[0].tolist() == [0.0, 0.0]
    assert (found[2].tolist(), found[4].tolist()) == ([3.0, 5.0], [1.0, -1.0])
    assert 0.0 < np.abs(found[[1, 3]]).max() < 1.0
    assert np.array_equal(found, start(["b", "new", "a"], known, 7))
    assert not np.array_equal(found[3], start(["b", "new", "a"], known, 8)[3])
