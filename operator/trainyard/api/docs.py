"""Descriptions of fields, read from the strings under them; loaded only when a schema is generated.

pydantic can do this at import time, at the price of parsing every module each time a process starts.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from itertools import pairwise
from textwrap import dedent

from pydantic import BaseModel


@cache
def attribute_docs(cls: type) -> dict[str, str]:
    """Map each field of a class, inherited ones included, to the string that follows it."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found.update(_own_docs(base))
    return found


def summary(cls: type) -> str:
    """The class's own docstring as one line."""
    return _flat(cls.__doc__ or "")


def _own_docs(cls: type) -> dict[str, str]:
    tree = ast.parse(dedent(inspect.getsource(cls)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    docs = {}
    for statement, following in pairwise(body):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            docs[statement.target.id] = _flat(following.value.value)
    return docs


def _flat(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split())
