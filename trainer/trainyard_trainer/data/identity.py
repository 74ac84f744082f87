"""Hashes of rows and digests of tables: who a row is, and which data this was.

A row's hash depends on the content of its cells alone: not on the order of rows or columns, not on the file
format, not on other rows (a number hashes alike in a column of numbers and among texts).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.table import Images, Table, Texts, Values

Hashes = NDArray[np.uint64]
_GAP = np.uint64(0x9E3779B97F4A7C15)
_HASHED_AT_ONCE = 1 << 16  # words of 8 pixels: they and what is made of them stay in the cache
_NUMBERS_BEGIN = (*"+-.iInN ", "\t", "\n")


def mix(value: Hashes) -> Hashes:
    """A bijection of 64-bit words in which every input bit moves every output bit (Stafford's variant 13)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def row_hashes(table: Table, names: Iterable[str]) -> Hashes:
    """One 64-bit hash per row over the named columns."""
    total = np.zeros(table.rows, dtype=np.uint64)
    for name in names:
        total += mix(_cells(table.columns[name]) ^ _word(name))
    return mix(total)


def seeded(hashes: Hashes, seed: int) -> Hashes:
    """Other hashes for another seed."""
    return mix(hashes ^ mix(np.array([seed], dtype=np.uint64) + _GAP))


def data_digest(table: Table) -> str:
    """SHA-256 over names, kinds and cells, in the order of rows, and which of them came from which file."""
    total = hashlib.sha256()
    if table.origin is not None:
        total.update(table.origin.tobytes())
    for name in sorted(table.columns):
        column = table.columns[name]
        total.update(f"{type(column).__name__}\0{name}\0{table.rows}\0".encode())
        for part in _canonical(column):
            total.update(part)
    return total.hexdigest()


def holdout_digest(table: Table, rows: NDArray[np.int64]) -> str:
    """SHA-256 over the test rows and their labels, whatever order or file they came in."""
    part = table.take(rows)
    part = Table(part.columns, part.rows)
    return data_digest(part.take(np.argsort(row_hashes(part, part.columns), kind="stable")))


def _word(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def _bits(values: NDArray[np.float64]) -> Hashes:
    bits = mix((values + 0.0).view(np.uint64))  # + 0.0 makes -0.0 and 0.0 one
    return np.where(np.isnan(values), _GAP, bits)


def _cells(column: Values) -> Hashes:
    if isinstance(column, Images):
        return _images(column.pixels)
    if not isinstance(column, Texts):
        return _bits(column.values)
    by_word = np.array([*(_text(word) for word in column.words), _GAP], dtype=np.uint64)
    return by_word[column.codes]


def _images(pixels: NDArray[np.uint8]) -> Hashes:
    """One hash an image: its pixels in words of 8, each mixed with its position, and the size."""
    rows, size = len(pixels), int(np.prod(pixels.shape[1:]))
    words = -(-size // 8)
    positions = mix(np.arange(1, words + 1, dtype=np.uint64) * _GAP)
    hashes = np.empty(rows, dtype=np.uint64)
    step = max(1, _HASHED_AT_ONCE // words)
    for start in range(0, rows, step):
        block = pixels[start : start + step].reshape(-1, size)
        if size % 8:
            block = np.pad(block, ((0, 0), (0, -size % 8)))
        hashes[start : start + step] = mix(block.view("<u8") ^ positions).sum(1)
    return mix(hashes ^ _word("x".join(map(str, pixels.shape[1:]))))


def _text(word: str) -> np.uint64:
    if not (word[:1].isdigit() or word[:1] in _NUMBERS_BEGIN):
        return _word(word)  # what `float` would refuse, only slower
    try:
        return np.uint64(_bits(np.array([float(word)]))[0])
    except ValueError:
        return _word(word)


def _canonical(column: Values) -> Iterable[bytes | memoryview]:
    if isinstance(column, Images):
        yield "x".join(map(str, column.pixels.shape[1:])).encode()
        yield np.ascontiguousarray(column.pixels).data
        return
    if not isinstance(column, Texts):
        values = np.where(np.isnan(column.values), np.nan, column.values + 0.0)
        yield values.astype("<f8").tobytes()
        return
    used = sorted(column.used(), key=lambda code: column.words[code])
    recode = np.full(len(column.words) + 1, -1, dtype=np.int32)
    for rank, code in enumerate(used):
        recode[code] = rank
        word = column.words[code].encode()
        yield f"{len(word)}\0".encode() + word
    yield recode[column.codes].astype("<i4").tobytes()
