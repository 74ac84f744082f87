"""The API's data section as the settings of the data stage; what cannot be done is refused by name."""

from __future__ import annotations

from trainyard.api.data import Data, Format, PartFile, Source, Split, SplitBy
from trainyard.api.names import CLAIM_DIR
from trainyard.api.text import ImageData
from trainyard_model.preprocess.steps import GROUP as STEPS
from trainyard_trainer.data.settings import (
    ColumnSettings,
    CSVSettings,
    DataSettings,
    ImageSettings,
    Inputs,
    SourceSettings,
    SplitSettings,
)
from trainyard_trainer.data.steps import FIELD as STEPS_FIELD
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.resolve_extensions import extensions
from trainyard_trainer.resolve_text import refuse_texts, text_settings


def unsupported_data(data: Data) -> list[str]:
    """Fields that ask for what this version does not do."""
    split = data.split
    asked = {
        "data.split.folds with by: Order (folds would train on what comes later)": split.folds
        and split.by is SplitBy.ORDER,
    }
    return [field for field, value in asked.items() if value]


def data_settings(data: Data, inputs: Inputs | None, width: int | None = None) -> DataSettings:
    """Settings of the data stage.

    Args:
        data: The section.
        inputs: What the model reads; None: whatever the data are.
        width: Numbers of a token in a model of texts.

    Raises:
        InvalidSpec: The section asks for something that this version does not do.
    """
    if data.source is None:
        raise InvalidSpec("data.source is missing", "say where the rows are")
    if inputs not in ("image", None):
        _refuse_images(data, data.source)
    refuse_texts(data, inputs)
    columns, vectors = data.columns, data.text and data.text.vectors
    return DataSettings(
        source=_source(data.source),
        task=data.task.value if data.task else None,
        target=data.target,
        targets=data.targets or (),
        positive_class=data.positive_class,
        columns=ColumnSettings()
        if columns is None
        else ColumnSettings(
            drop=columns.drop,
            numeric=columns.numeric,
            categorical=columns.categorical,
            text=columns.text,
            key=columns.key,
            weight=columns.weight,
        ),
        split=_split(data.split, data.source),
        train_fraction=data.train_fraction,
        inputs=inputs,
        text=text_settings(data, width, _mounted(vectors.uri) if vectors else None),
        image=image_settings(data.image),
        steps=extensions(data.preprocess, STEPS, STEPS_FIELD),
    )


def _refuse_images(data: Data, source: Source) -> None:
    if data.image is not None:
        raise InvalidSpec("data.image: this model reads no images", "remove it, or use model.convnet")
    if source.format in (Format.IDX, Format.NPZ, Format.IMAGE_FOLDER):
        raise InvalidSpec(
            f"data.source.format: {source.format.value} holds images, which this model does not read",
            "use CSV or Parquet, or model.convnet",
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
    return _source(source.model_copy(update={"uri": part.uri, "sha256": part.sha256, "labels": part.labels}))


def image_settings(image: ImageData | None) -> ImageSettings:
    """Size and channels of images.

    Raises:
        InvalidSpec: A number of channels that no image has.
    """
    if image is None:
        return ImageSettings()
    if image.channels == 2:
        raise InvalidSpec("data.image.channels: no image has 2", "use 1 (grey), 3 (colour) or 4 (with alpha)")
    size = image.resize
    return ImageSettings(None if size is None else (size.height, size.width), image.channels)


def _source(source: Source) -> SourceSettings:
    csv, labels = source.csv, source.labels
    return SourceSettings(
        uri=_mounted(source.uri),
        sha256=source.sha256,
        format=None if source.format is None else source.format.value,
        labels=None if labels is None else SourceSettings(_mounted(labels.uri), labels.sha256),
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


def _mounted(uri: str) -> str:
    """Where a pod finds it: pvc://claim/path is mounted, anything else is fetched."""
    return f"{CLAIM_DIR}/{uri.removeprefix('pvc://')}" if uri.startswith("pvc://") else uri
