"""What pydantic says, rewritten into what the API server wants."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import yaml
from annotated_types import Ge, Gt, Lt
from pydantic import BaseModel, Field

from trainyard.api import names
from trainyard.api.base import ApiModel
from trainyard.api.docs import attribute_docs
from trainyard.api.names import Kind
from trainyard.api.rules import Rule, exactly_one
from trainyard.api.schema import ROOTS, SchemaError, crd, crd_files, observed, structural, to_yaml
from trainyard.api.types import Labels, Metrics, Quantity, Time
from trainyard.cli.crds import crds

MAX_BYTES = 65_536


class Colour(StrEnum):
    """A colour."""

    RED = "Red"


class Inner(ApiModel):
    """An inner object."""

    size: Annotated[int, Ge(1)] = 3
    """How big."""


class Everything(ApiModel):
    """One field of each sort."""

    plain: Annotated[str, Field(max_length=9)]
    """A text."""
    maybe: Annotated[int, Ge(2)] | None = None
    """A number or nothing."""
    inner: Inner = Inner()
    """An object with a default."""
    maybe_inner: Inner | None = None
    """An object or nothing."""
    colour: Colour = Colour.RED
    """An enumeration."""
    fixed: Literal[1] = 1
    """A constant."""
    share: Annotated[float, Gt(0.0), Lt(1.0)] = 0.5
    """A number between bounds."""
    many: Annotated[tuple[Inner, ...], Field(max_length=4)] = ()
    """A list."""
    memory: Quantity | None = None
    """A quantity."""
    when: Time | None = None
    """A moment."""
    labels: Labels = Field(default_factory=dict)
    """A map."""
    metrics: Metrics = Field(default_factory=dict)
    """A map whose keys have a pattern."""
    from_: Annotated[str, Field(max_length=9)] | None = None
    """A word that Python keeps for itself."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("maybe", "maybeInner"),)


@pytest.fixture(scope="module")
def properties() -> dict[str, Any]:
    found: dict[str, Any] = structural(Everything)["properties"]
    return found


EXPECTED: dict[str, dict[str, Any]] = {
    "plain": {"type": "string", "description": "A text.", "maxLength": 9},
    "maybe": {"type": "integer", "description": "A number or nothing.", "minimum": 2},
    "colour": {"type": "string", "description": "An enumeration.", "enum": ["Red"], "default": "Red"},
    "fixed": {"type": "integer", "description": "A constant.", "enum": [1], "default": 1},
    "share": {
        "type": "number",
        "description": "A number between bounds.",
        "default": 0.5,
        "minimum": 0.0,
        "exclusiveMinimum": True,
        "maximum": 1.0,
        "exclusiveMaximum": True,
    },
    "when": {"type": "string", "description": "A moment.", "format": "date-time", "maxLength": 64},
    "from": {"type": "string", "description": "A word that Python keeps for itself.", "maxLength": 9},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_field(properties: dict[str, Any], name: str) -> None:
    assert properties[name] == EXPECTED[name]


def test_objects_are_inlined_without_default_and_described_by_their_field(properties: dict[str, Any]) -> None:
    size = {"type": "integer", "description": "How big.", "default": 3, "minimum": 1}
    inner = {"type": "object", "properties": {"size": size}}
    assert properties["inner"] == {**inner, "description": "An object with a default."}
    assert properties["maybeInner"] == {**inner, "description": "An object or nothing."}
    many = {"type": "array", "maxItems": 4, "items": {**inner, "description": "An inner object."}}
    assert properties["many"] == {**many, "description": "A list."}


def test_quantity_is_integer_or_string(properties: dict[str, Any]) -> None:
    memory = properties["memory"]
    assert memory["x-kubernetes-int-or-string"] is True
    assert "type" not in memory
    assert memory["maxLength"] == 32


def test_maps_bound_their_keys_by_a_rule(properties: dict[str, Any]) -> None:
    labels = properties["labels"]
    assert labels["additionalProperties"]["maxLength"] == 63
    assert labels["x-kubernetes-validations"] == [{"rule": "self.all(k, size(k) <= 253)"}]
    assert properties["metrics"]["additionalProperties"] == {"type": "number"}
    assert properties["metrics"]["maxProperties"] == 128


def test_rules_and_required_fields_of_the_object() -> None:
    schema = structural(Everything)
    assert schema["required"] == ["plain"]
    assert schema["x-kubernetes-validations"] == [
        {
            "rule": "[has(self.maybe), has(self.maybeInner)].exists_one(x, x)",
            "message": "exactly one of maybe, maybeInner must be set",
        }
    ]


def test_status_has_neither_defaults_nor_rules_but_fields_may_be_called_so() -> None:
    field = {"type": "string", "default": "a"}
    status = {"type": "object", "properties": {"default": field}, "x-kubernetes-validations": [{}]}
    assert observed(status) == {"type": "object", "properties": {"default": {"type": "string"}}}


class Union(ApiModel):
    """A union that no structural schema can say."""

    either: Inner | str


class Pair(ApiModel):
    """A tuple of fixed length."""

    pair: tuple[int, str]


class Loose(ApiModel):
    """Anything at all."""

    anything: Any


class Multiple(ApiModel):
    """A word that the rewriting does not know."""

    even: Annotated[int, Field(multiple_of=2)]


class Tree(ApiModel):
    """An object that contains itself."""

    child: Tree | None = None


class Forest(ApiModel):
    """Holds such an object."""

    tree: Tree


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Union, "Union.either: unions are optional members"),
        (Pair, "Pair.pair: a structural schema cannot say"),
        (Loose, "Loose.anything: a structural schema needs a type"),
        (Multiple, "Multiple.even: a structural schema cannot say multipleOf"),
        (Forest, "Forest.tree.child: Tree contains itself"),
    ],
)
def test_what_cannot_be_said_is_an_error_with_its_place(model: type[ApiModel], says: str) -> None:
    with pytest.raises(SchemaError, match=says.replace("[", r"\[")):
        structural(model)


@pytest.mark.parametrize("kind", ROOTS, ids=lambda kind: kind.kind)
def test_crd_is_small(kind: Kind) -> None:
    assert len(crd_files()[f"{kind.crd}.yaml"].encode()) < MAX_BYTES
    assert len(json.dumps(crd(kind), separators=(",", ":")).encode()) < MAX_BYTES


@pytest.mark.parametrize("kind", ROOTS, ids=lambda kind: kind.kind)
def test_yaml_says_the_same_as_the_object(kind: Kind) -> None:
    assert yaml.safe_load(to_yaml(crd(kind))) == crd(kind)


def test_generation_is_deterministic() -> None:
    assert crd_files() == crd_files()


def test_every_field_is_described() -> None:
    silent = [
        f"{cls.__name__}.{name}"
        for cls in _models(set(ROOTS.values()))
        for name in cls.model_fields
        if name not in attribute_docs(cls)
    ]
    envelope = {"ObjectMeta", "OwnerReference", "TrainingJob", "Study", "ModelServer"}
    assert [field for field in silent if field.split(".")[0] not in envelope] == []


def test_class_names_are_unique() -> None:
    """Same-named classes would be told apart by pydantic in a way that changes with imports."""
    found = [cls.__name__ for cls in _models(set(ROOTS.values()))]
    assert len(found) == len(set(found))


def _models(roots: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """All models that these contain."""
    found: set[type[BaseModel]] = set()
    todo = list(roots)
    while todo:
        cls = todo.pop()
        if cls in found:
            continue
        found.add(cls)
        for field in cls.model_fields.values():
            todo.extend(_inside(field.annotation))
    return found


def _inside(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [cls for part in getattr(annotation, "__args__", ()) for cls in _inside(part)]


class TestCommand:
    """`trainyard crds`."""

    def test_check_passes_on_what_write_wrote(self, tmp_path: Path) -> None:
        assert crds(write=tmp_path, check=None) == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            f"{kind.crd}.yaml" for kind in names.KINDS.values()
        )
        assert crds(write=None, check=tmp_path) == 0

    def test_check_shows_the_difference_and_the_remedy(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        crds(write=tmp_path, check=None)
        path = tmp_path / "studies.trainyard.dev.yaml"
        path.write_text(path.read_text().replace("singular: study", "singular: studium"))
        (tmp_path / "old.trainyard.dev.yaml").write_text("{}")
        assert crds(write=None, check=tmp_path) == 1
        said = capsys.readouterr()
        assert "-    singular: studium" in said.out
        assert "+    singular: study" in said.out
        assert "old.trainyard.dev.yaml: no kind has this name any more" in said.out
        assert "make crds" in said.err

    def test_write_removes_files_of_kinds_that_are_gone(self, tmp_path: Path) -> None:
        (tmp_path / "old.trainyard.dev.yaml").write_text("{}")
        crds(write=tmp_path, check=None)
        assert not (tmp_path / "old.trainyard.dev.yaml").exists()

    def test_prints_all_without_a_folder(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert crds(write=None, check=None) == 0
        kinds = [body["spec"]["names"]["kind"] for body in yaml.safe_load_all(capsys.readouterr().out)]
        assert kinds == list(names.KINDS)

    def test_the_committed_files_are_current(self) -> None:
        assert crds(write=None, check=Path(__file__).resolve().parents[3] / "crds") == 0
