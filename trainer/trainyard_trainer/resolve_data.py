"""The API's data section as the settings of the data stage; what cannot be done is refused by name."""

from __future__ import annotations

from trainyard.api.data import Data, PartFile, Source, Split, SplitBy
from trainyard.api.names import CLAIM_DIR
from trainyard_model.preprocess.steps import GROUP as STEPS
from trainyard_trainer.data.settings import (
    ColumnSettings,
    CSVSettings,
    DataSettings,
    SourceSettings,
    SplitSettings,
)
from trainyard_trainer.data.steps import FIELD as STEPS_FIELD
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.resolve_extensions import extensions


def unsupported_data(data: Data) -> list[str]:
    """Fields that ask for what this version does not do."""
    columns, split, files = data.columns, data.split, data.split.files
    parts = [part for part in (files and files.validation, files and files.test) if part]
    asked = {
        "data.text": data.text,
        "data.image": data.image,
        "data.columns.text (tabular families read no text; drop the column, or name it categorical)": columns
        and columns.text,
        "data.source.labels": data.source and data.source.labels,
        "data.split.files with labels": any(part.labels for part in parts),
        "data.split.folds with by: Order (folds would train on what comes later)": split.folds
        and split.by is SplitBy.ORDER,
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
    columns = data.columns
    return DataSettings(
        source=_source(data.source),
        task=data.task.value if data.task else None,
        target=data.target,
        targets=data.targets or (),
        positive_class=data.positive_class,
        columns=ColumnSettings()
        if columns is None
        else ColumnSettings(columns.drop, columns.numeric, columns.categorical, columns.key, columns.weight),
        split=_split(data.split, data.source),
        train_fraction=data.train_fraction,
        steps=extensions(data.preprocess, STEPS, STEPS_FIELD),
    )


def _split(split: Split, source: Source) -> SplitSettings:
    files = split.files
    return SplitSettings(
        validation=split.validation,
        test=split.test,
        seed=split.seed,
        by=split.by.value,
        column=split.column,
        validation_file=_file(source, files.validation) if files else None,
        test_file=_file(source, files.test) if files else None,
        folds=split.folds,
        repeats=split.repeats,
    )


def _file(source: Source, part: PartFile | None) -> SourceSettings | None:
    """A file of a part, which is read as the source is."""
    if part is None:
        return None
    return _source(source.model_copy(update={"uri": part.uri, "sha256": part.sha256}))


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
