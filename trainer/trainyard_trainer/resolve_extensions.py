"""The API's names and parameters of what other distributions add, as the stages take them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from trainyard.api.data import Preprocess
from trainyard.api.training import Callback
from trainyard_trainer.extensions import Extension, find


def extensions(wanted: Sequence[Callback | Preprocess], group: str, where: str) -> tuple[Extension, ...]:
    """What other distributions are asked for.

    Raises:
        InvalidSpec: One is not installed here.
    """
    for one in wanted:
        find(group, one.name, where)
    return tuple(
        Extension(one.name, {key: value_of(text) for key, text in one.parameters.items()}) for one in wanted
    )


def value_of(text: str) -> Any:
    """A parameter's value: JSON where it is JSON, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
