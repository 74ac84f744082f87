"""Parquet files as tables.

One column at a time, so that no more than one is held twice.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from trainyard_trainer.data.convert import values_of
from trainyard_trainer.data.table import Table, Values
from trainyard_trainer.errors import DataError


def read_parquet(path: Path) -> tuple[Table, list[str]]:
    """The table, and notices about columns of kinds that cannot be used.

    Raises:
        DataError: The file is no Parquet file, is cut short, or holds no rows.
    """
    try:
        with pyarrow.parquet.ParquetFile(path, read_dictionary=_texts(path)) as file:
            names, rows = file.schema_arrow.names, file.metadata.num_rows
            check_table(path.name, names, rows)
            columns: dict[str, Values] = {}
            notices = []
            for position, name in enumerate(names, start=1):
                if not name.strip():
                    notices.append(f"column {position} has no name and is left out")
                    continue
                kind = file.schema_arrow.field(name).type
                values = None if pa.types.is_nested(kind) else values_of(file.read([name]).column(0))
                if values is None:
                    notices.append(f"column '{name}' is of type {kind}, which is not used, and is left out")
                else:
                    columns[name] = values
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path.name} cannot be read as Parquet: {error}",
            "check that the file is complete, and data.source.format",
        ) from error
    return Table(columns, rows), notices


def _texts(path: Path) -> list[str]:
    """Text columns, which are wanted as codes into their words, as the file mostly has them."""
    return [f.name for f in pyarrow.parquet.read_schema(path) if pa.types.is_string(f.type)]


def check_table(file: str, names: list[str], rows: int) -> None:
    """Names must differ, and there must be rows.

    Raises:
        DataError: They do not, or there are none.
    """
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise DataError(f"{file} has two columns named '{twice[0]}'", "rename one of them")
    if rows == 0:
        raise DataError(f"{file} has no rows", "check data.source.uri: a header alone teaches nothing")
