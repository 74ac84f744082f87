"""What a training weighs: peak memory by rows, and the seconds that imports take before its first step."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tests.benchmarks.report import ROOT, Row, at_most, progress
from tests.benchmarks.runs import MANIFESTS

COLUMNS = 28
_CHUNK = 250_000


def training() -> Iterator[Row]:
    """Peak resident memory of `trainyard run` on Parquet files of 28 float32 columns."""
    peaks: dict[int, float] = {}
    for millions in (1, 5):
        with tempfile.TemporaryDirectory(prefix="trainyard-bench-") as folder:
            file = Path(folder) / "data.parquet"
            _write(file, millions * 1_000_000)
            seconds, peaks[millions] = _run(Path(folder), file)
        matrix = millions * 1e6 * COLUMNS * 4 / 2**20
        yield Row(
            f"peak memory, {millions} M rows",
            round(peaks[millions]),
            "MiB",
            note=f"one epoch of {COLUMNS} columns, 8192/512, n_d 8, tested and packaged, in {seconds:.0f} s; "
            f"the features are {matrix:.0f} MiB in float32, the file {_size(millions):.0f} MiB",
        )
    yield Row(
        "peak memory, more for each more row",
        round((peaks[5] - peaks[1]) * 2**20 / 4e6, 1),
        "bytes",
        note=f"{COLUMNS * 4} bytes are the row itself in float32",
    )


_sizes: dict[int, float] = {}


def _size(millions: int) -> float:
    return _sizes.get(millions, 0.0)


def _write(file: Path, rows: int) -> None:
    """Numbers and a class that depends on a few of them, written in chunks."""
    generator = np.random.default_rng(11)
    writer = None
    for start in range(0, rows, _CHUNK):
        count = min(_CHUNK, rows - start)
        x = generator.standard_normal((count, COLUMNS), dtype=np.float32)
        y = x[:, 0] * x[:, 1] + x[:, 2] + generator.standard_normal(count, dtype=np.float32) > 0
        columns = {f"c{i}": pa.array(x[:, i]) for i in range(COLUMNS)}
        table = pa.table({**columns, "target": pa.array(np.where(y, "yes", "no"))})
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    _sizes[rows // 1_000_000] = file.stat().st_size / 2**20


def _run(folder: Path, file: Path) -> tuple[float, float]:
    """Seconds and peak MiB of the command line, as a person would start it."""
    manifest = yaml.safe_load((MANIFESTS / "memory.yaml").read_text())
    manifest["spec"]["data"]["source"]["uri"] = str(file)
    (folder / "job.yaml").write_text(yaml.safe_dump(manifest))
    code = (
        "import json, resource, subprocess, sys, time; start = time.monotonic();"
        f"subprocess.run([{sys.executable!r}, '-m', 'trainyard', 'run', 'job.yaml'], check=True);"
        "print(json.dumps([time.monotonic() - start,"
        " resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024]))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    if out.returncode:
        raise RuntimeError(f"trainyard run ended with {out.returncode}: {(out.stdout + out.stderr)[-400:]}")
    seconds, peak = json.loads(out.stdout.splitlines()[-1])
    progress(f"    {file.name}: {seconds:.0f} s, {peak:.0f} MiB")
    return float(seconds), float(peak)


def imports() -> Iterator[Row]:
    """Seconds of imports in the main thread before the first step of `trainyard run`, files warm."""
    found = [_imports() for _ in range(4)][1:]
    blocked, wall = (statistics.median(values) for values in zip(*found, strict=True))
    yield at_most(
        "imports before the first step, warm",
        blocked,
        "s",
        2.5,
        f"in the main thread, median of {len(found)}; from start to first step {wall:.2f} s "
        "with data, split and set-up of 1,000 generated rows",
    )


def _imports() -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="trainyard-bench-") as folder:
        out = Path(folder) / "seconds.json"
        words = ["-m", "tests.benchmarks.importclock", str(out), str(MANIFESTS / "imports.yaml")]
        done = subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        if not out.exists():
            raise RuntimeError(f"no step was taken: {(done.stdout + done.stderr)[-400:]}")
        blocked, wall = json.loads(out.read_text())
    return float(blocked), float(wall)
