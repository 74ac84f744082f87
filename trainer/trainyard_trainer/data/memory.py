"""Whether the data will fit, said before it is loaded instead of found out by the kernel."""

from __future__ import annotations

import os
from pathlib import Path

from trainyard_trainer.errors import DataError
from trainyard_trainer.threads import local_processes

SHARE = 0.6
_CSV_FACTOR, _PARQUET_FACTOR, _TEXT_FACTOR = 4.0, 2.5, 8.0
_UNLIMITED = 1 << 60
_TOKEN = 400
"""Bytes of a word in Python's and in the tokenizer's tables."""
_REMEDY = "raise compute.resources.limits.memory, drop columns or use fewer rows"


def limit_bytes(cgroup: Path = Path("/sys/fs/cgroup"), meminfo: Path = Path("/proc/meminfo")) -> int:
    """Memory this process may use: the cgroup's limit (v2 or v1), else the machine's."""
    found = [_UNLIMITED]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            found.append(int((cgroup / name).read_text()))
        except (OSError, ValueError):  # absent, or "max"
            continue
    try:
        kilobytes = next(line.split()[1] for line in meminfo.read_text().splitlines() if "MemTotal" in line)
        found.append(int(kilobytes) * 1024)
    except (OSError, StopIteration):
        pass
    return min(found)


def share_bytes() -> int:
    """What each may use of the processes that train together here."""
    return limit_bytes() // local_processes()


def need_bytes(path: Path, parquet: bool, texts: bool = False) -> int:
    """A rough upper estimate: the cells as read, the table of float64, and the encoded tensors.

    Texts are also held as Python's strings, and as numbers of their words.
    """
    if not parquet:
        return int(_plain_size(path) * (_TEXT_FACTOR if texts else _CSV_FACTOR))
    import pyarrow.parquet

    try:
        metadata = pyarrow.parquet.read_metadata(path)
    except pyarrow.ArrowException:
        return 0  # broken, as the reader will say
    stored = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    factor = _TEXT_FACTOR if texts else _PARQUET_FACTOR
    return int(max(stored, metadata.num_rows * metadata.num_columns * 8) * factor)


def need_of_sample(size: int) -> int:
    """Of a generated table of so many bytes."""
    return int(size * _PARQUET_FACTOR)


def least_need(size: int) -> int:
    """What a file of so many bytes needs at least, whatever its format."""
    return int(size * _PARQUET_FACTOR)


def _plain_size(path: Path) -> int:
    """Size of what a gzip file holds, which its last four bytes say modulo 2^32; else of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b" or size < 18:
            return size
        file.seek(-4, os.SEEK_END)
        said = int.from_bytes(file.read(4), "little")
    while said < size:
        said += 1 << 32
    return said


def need_of_vocabulary(size: int, width: int, trained: bool) -> int:
    """Of so many tokens: themselves, their vectors, and where these train, gradients and two moments."""
    return size * (_TOKEN + width * 4 * (5 if trained else 2))


def check(need: int, limit: int, what: str, remedy: str = _REMEDY) -> str:
    """Refuse to start what would not finish; else what is needed, in words.

    Raises:
        DataError: More than SHARE of the memory would be needed.
    """
    if need > SHARE * limit:
        raise DataError(
            f"{what} needs about {_size(need)} of memory; this machine or pod has {_size(limit)}, "
            f"of which {SHARE:.0%} may be data",
            remedy,
        )
    return f"{what} needs up to {_size(need)} of memory, of {_size(limit)}"


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
