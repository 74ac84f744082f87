"""The API's data section as the settings of the data stage; what cannot be done is refused by name."""

from __future__ import annotations

from trainyard.api.data import Data, Source, SplitBy
from trainyard.api.names import CLAIM_DIR
from trainyard_trainer.data.settings import (
    ColumnSettings,
    CSVSettings,
    DataSettings,
    SourceSettings,
    SplitSettings,
)
from trainyard_trainer.errors import InvalidSpec


def unsupported_data(data: Data) -> list[str]:
    """Fields that ask for what this version does not do."""
    columns, split = data.columns, data.split
    asked = {
        "data.text": data.text,
        "data.image": data.image,
        "data.preprocess": data.preprocess,
        "data.columns.text": columns and columns.text,
        "data.columns.weight": columns and columns.weight,
        "data.source.labels": data.source and data.source.labels,
        "data.split.by other than Hash": split.by is not SplitBy.HASH,
        "data.split.folds": split.folds,
    }
    return [field for field, value in asked.items() if value]


def data_settings(data: Data) -> DataSettings:
    """Settings of the data stage.

    Raises:
        InvalidSpec: The section asks for something that this version does not do.
    """
    if data.source is None:
        raise InvalidSpec("data.source is missing", "say where the rows are")
    if data.source.format and data.source.format.value not in ("CSV", "Parquet"):
        raise InvalidSpec(
            f"data.source.format: {data.source.format.value} is not read for tables", "use CSV or Parquet"
        )
    columns, split = data.columns, data.split
    return DataSettings(
        source=_source(data.source),
        task=data.task.value if data.task else None,
        target=data.target,
        targets=data.targets or (),
        positive_class=data.positive_class,
        columns=ColumnSettings(columns.drop, columns.numeric, columns.categorical, columns.key)
        if columns
        else ColumnSettings(),
        split=SplitSettings(split.validation, split.test, split.seed),
        train_fraction=data.train_fraction,
    )


def _source(source: Source) -> SourceSettings:
    claim, csv = source.claim, source.csv
    return SourceSettings(
        uri=source.uri if claim is None else f"{CLAIM_DIR}/{claim[0]}/{claim[1]}",
        sha256=source.sha256,
        format=None if source.format is None else ("CSV" if source.format.value == "CSV" else "Parquet"),
        csv=CSVSettings()
        if csv is None
        else CSVSettings(
            delimiter=csv.delimiter if "delimiter" in csv.model_fields_set else None,
            header=csv.header,
            column_names=csv.column_names,
            encoding=csv.encoding,
            null_values=csv.null_values,
        ),
    )
