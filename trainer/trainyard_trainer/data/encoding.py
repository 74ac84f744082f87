"""Which encoding a file of text has, where it is not the one that was said."""

from __future__ import annotations

import io
from typing import Any

from trainyard_trainer.errors import DataError

_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_FIELD = "data.source.csv.encoding"
_UTF_8 = ("utf-8", "utf8", "utf-8-sig")
_SINGLE = ("latin-1", "latin1", "iso-8859-1", "cp1252", "windows-1252")


def by_mark(head: bytes) -> str | None:
    """What the first bytes say: a byte order mark, or the zeros between ASCII letters of two bytes each."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    even, odd = head[:2000:2].count(0), head[1:2000:2].count(0)
    if max(even, odd) * 4 > len(head[:2000]) and min(even, odd) == 0:
        return "utf-16-be" if even else "utf-16-le"
    return None


def check_encoding(stream: Any, name: str, encoding: str) -> None:
    """Say which line and byte are not in the encoding, and which encoding would do.

    Raises:
        DataError: There is such a line.
    """
    lines = io.BufferedReader(stream).readlines()
    marked = by_mark(lines[0] if lines else b"")
    if marked is None and encoding.lower() not in _UTF_8 and _decodes(lines, "utf-8"):
        marked = "utf-8"
    if marked is not None and marked != encoding.lower():
        raise DataError(
            f"{name}, line 1: the file is {marked}, not {encoding}",
            f"set {_FIELD}: {marked}" + ("" if marked == "utf-8" else ", or save the file as UTF-8"),
        )
    broken = [i for i, line in enumerate(lines) if not _decodes([line], encoding)]
    if not broken:
        return
    line = lines[broken[0]]
    try:
        line.decode(encoding)
    except UnicodeDecodeError as error:
        at = sum(map(len, lines[: broken[0]])) + error.start
        what = (
            f"{name}, line {broken[0] + 1}: byte 0x{line[error.start]:02x} at offset {at} is not {encoding}"
        )
    except UnicodeError as error:
        what = f"{name} is not {encoding}: {error}"
    seen = bytes({byte for i in broken for byte in lines[i] if byte > 0x7F})
    remedy = f"save the file as UTF-8, or set {_FIELD}: {_single(seen)}"
    if encoding.lower() in _UTF_8 and any(not line.isascii() and _decodes([line], "utf-8") for line in lines):
        remedy = "correct that line: others are UTF-8; it was perhaps cut, or copied from another file"
    raise DataError(what, remedy)


def _decodes(lines: list[bytes], encoding: str) -> bool:
    try:
        for line in lines:
            line.decode(encoding)
    except UnicodeError:
        return False
    return True


def misread(head: bytes, encoding: str) -> bool:
    """Whether a file that is read byte by byte is UTF-8 after all, so that é would become Ã©."""
    if encoding.lower() not in _SINGLE or head.isascii():
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.end >= len(head) - 3 and error.start > 0 and not head[: error.start].isascii()
    return True


def _single(seen: bytes) -> str:
    """Of the encodings of one byte a letter: Windows' own uses bytes that Latin-1 has no letters for."""
    if not any(0x80 <= byte <= 0x9F for byte in seen):
        return "latin-1"
    try:
        seen.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"
