"""What the data themselves decide: what a model can read of them, and parts that they come in."""

from __future__ import annotations

from dataclasses import replace

from trainyard_trainer.data.free_text import only_text, text_column
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.table import Images, Table
from trainyard_trainer.errors import DataError

PART = "part"
"""The column that names the part of each image, where they come in folders or arrays of parts."""


def settled(table: Table, settings: DataSettings) -> tuple[DataSettings, list[str]]:
    """Settings completed by what the table holds, and notices.

    Images that come in parts keep them, unless something else than the hash is asked to decide.

    Raises:
        DataError: The model reads images and there are none, or the other way round; or reads a text, and
            no column holds one.
    """
    images = any(isinstance(column, Images) for column in table.columns.values())
    inputs = settings.inputs or ("image" if images else "text" if only_text(table, settings) else "table")
    if images and inputs != "image":
        raise DataError("the data are images, which this model does not read", "use model.convnet")
    if inputs == "image" and not images:
        raise DataError(
            "the data hold no images, which this model reads",
            "give IDX, NPZ or a folder of images, or use another model",
        )
    settings = replace(settings, inputs=inputs)
    if inputs == "text":
        name, why = text_column(table, settings)
        said = [] if settings.columns.text else [f"'{name}' is the text that is read ({why})"]
        return replace(settings, columns=replace(settings.columns, text=(name,))), said
    split = settings.split
    if not images or PART not in table.columns or split.by != "Hash":
        return settings, []
    kept = replace(split, by="Column", column=PART)
    return replace(settings, split=kept), ["the data come in parts, which are kept"]
