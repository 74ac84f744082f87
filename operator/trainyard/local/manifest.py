"""Manifests as people write them: YAML, strictly checked, with changes from the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from trainyard.api.base import InvalidManifest
from trainyard.api.trainingjob import TrainingJob

IN_MEMORY = "<DataFrame>"
_HEAD = {"apiVersion": "trainyard.dev/v1alpha1", "kind": "TrainingJob"}
_PART = re.compile(r"([A-Za-z0-9_-]+)((?:\[\d+\])*)")


def read_training_job(file: Path, overrides: list[str]) -> TrainingJob:
    """The one TrainingJob of a file.

    Raises:
        InvalidManifest: The file is no such manifest, or breaks a rule; one line for each problem.
    """
    body = _document(file)
    for override in overrides:
        _apply(body, override)
    try:
        return TrainingJob.strict(body)
    except InvalidManifest as error:
        raise InvalidManifest([f"{file}: {problem}" for problem in error.problems]) from None


def training_job(body: Mapping[str, Any], name: str, *, in_memory: bool) -> TrainingJob:
    """A TrainingJob from Python values.

    Args:
        body: A whole manifest, or its `spec` alone, then called `name`.
        name: Name of the job where the body has none.
        in_memory: The rows are there already and no source is read, whatever the body says.

    Raises:
        InvalidManifest: It breaks a rule; one line for each problem.
    """
    whole = dict(body) if "spec" in body else {"metadata": {"name": name}, "spec": body}
    if in_memory:
        spec = dict(whole["spec"])
        whole["spec"] = {**spec, "data": {**(spec.get("data") or {}), "source": {"uri": IN_MEMORY}}}
    return TrainingJob.strict({**_HEAD, **whole})


def data_job(uri: str, overrides: list[str]) -> TrainingJob:
    """A TrainingJob that says nothing but where the rows are.

    Raises:
        InvalidManifest: A change breaks a rule; one line for each problem.
    """
    body = {
        **_HEAD,
        "metadata": {"name": "data"},
        "spec": {"model": {"mlp": {}}, "data": {"source": {"uri": uri}}},
    }
    for override in overrides:
        _apply(body, override)
    return TrainingJob.strict(body)


def _document(file: Path) -> dict[str, Any]:
    try:
        documents = [d for d in yaml.safe_load_all(file.read_text(encoding="utf-8")) if d is not None]
    except yaml.YAMLError as error:
        raise InvalidManifest([f"{file} is not YAML: {' '.join(str(error).split())}"]) from None
    except (OSError, UnicodeError) as error:
        raise InvalidManifest([f"{file} cannot be read: {error}"]) from None
    jobs = [d for d in documents if isinstance(d, dict) and d.get("kind") == "TrainingJob"]
    if len(jobs) == 1:
        return jobs[0]
    if jobs:
        raise InvalidManifest([f"{file} holds {len(jobs)} TrainingJobs; keep one in a file"])
    kinds = sorted({str(d.get("kind")) for d in documents if isinstance(d, dict) and d.get("kind")})
    found = f"it holds {', '.join(kinds)}" if kinds else "it has no kind"
    raise InvalidManifest([f"{file} is no manifest of a TrainingJob: {found}"])


def _apply(body: dict[str, Any], override: str) -> None:
    """Change one field below spec; the value is read as YAML."""
    path, equals, text = override.partition("=")
    parts = path.strip().removeprefix("spec.").split(".")
    if not equals or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidManifest([f"--set {override}: write PATH=VALUE, for example training.epochs=3"])
    keys: list[str | int] = []
    for part in parts:
        match = _PART.fullmatch(part)
        assert match is not None  # noqa: S101 - checked above
        keys += [match[1], *(int(index) for index in re.findall(r"\d+", match[2]))]
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    node: Any = body.setdefault("spec", {})
    try:
        for key, following in zip(keys, [*keys[1:], None], strict=True):
            if isinstance(key, int) != isinstance(node, list):
                raise TypeError(key)
            if following is None:
                node[key] = value
                break
            if isinstance(node, dict) and node.get(key) is None:
                node[key] = {}
            node = node[key]
    except (IndexError, KeyError, TypeError):
        raise InvalidManifest([f"--set {override}: the manifest has no such place"]) from None
