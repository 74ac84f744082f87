"""What every family must do, whatever it is: a new one passes these, or it is none.

Families are met here as the trainer meets them: settings, a shape, batches of tensors.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
import torch
from torch import Tensor

from trainyard.api.families import Model
from trainyard_model import FAMILIES, Batch, ImageShape, Loss, Network, Shape, TextShape
from trainyard_model.embedding import MISSING, UNSEEN
from trainyard_trainer.fit.losses import make_loss
from trainyard_trainer.fit.optimizers import make_optimizer
from trainyard_trainer.fit.settings import OptimizerSettings

SMALL: dict[str, list[dict[str, Any]]] = {
    "tabnet": [{"n_d": 4, "n_a": 4, "n_steps": 2, "virtual_batch_size": 64}],
    "mlp": [
        {"layers": 0},
        {"layers": 2, "width": 16},
        {"layers": 3, "width": 8, "residual": False, "dropout": 0.0},
        {"layers": 2, "width": 16, "heads": 4},
    ],
    "lstm": [{"embedding_size": 8, "hidden_size": 8, "dense_units": (6,)}],
    "convnet": [
        {"conv": ({"channels": 6, "dropout": 0.1},), "dense": ({"units": 8},)},
        {
            "conv": ({"channels": 4, "kernel": 2, "stride": 2, "pool": 1}, {"channels": 6}),
            "batch_norm": False,
        },
    ],
}
"""Settings that train in a moment; a family that is not here is tested with its defaults."""
NEEDED: dict[str, dict[str, Any]] = {"convnet": {"conv": [{"channels": 4}]}}
"""Settings that have no default."""

SHAPES: dict[str, dict[str, Shape]] = {
    "table": {
        "mixed": Shape(3, (6, 4), 2),
        "numeric": Shape(4, (), 2),
        "categorical": Shape(0, (6, 4), 2),
        "one-number": Shape(1, (), 2),
        "one-category": Shape(0, (5,), 2),
    },
    "text": {
        "texts": Shape(0, (), 2, text=TextShape(12, 9)),
        "one-token": Shape(0, (), 2, text=TextShape(3, 1)),
    },
    "image": {
        "grey": Shape(0, (), 2, image=ImageShape(1, 8, 8, (0.5,), (0.3,))),
        "colour": Shape(0, (), 2, image=ImageShape(3, 7, 10, (0.5, 0.4, 0.5), (0.3, 0.2, 0.3))),
    },
}
"""What a family that takes such inputs is met with; the first is the usual one."""

VARIANTS = [
    pytest.param(name, settings, id="-".join([name, *(f"{k}={v}" for k, v in settings.items())]))
    for name in FAMILIES
    for settings in SMALL.get(name, [{}])
]
TABLES = [variant for variant in VARIANTS if FAMILIES[str(variant.values[0])].takes == "table"]
CASES = [
    pytest.param(*variant.values, shape, id=f"{variant.id}-{kind}")
    for variant in VARIANTS
    for kind, shape in SHAPES[FAMILIES[str(variant.values[0])].takes].items()
]
TABLE_CASES = [case for case in CASES if FAMILIES[str(case.values[0])].takes == "table"]
TASKS = {"binary": (2, True), "multiclass": (4, True), "regression": (1, False), "multi-output": (3, False)}
ROWS = 256

every_variant = pytest.mark.parametrize(("name", "settings"), VARIANTS)
every_table_variant = pytest.mark.parametrize(("name", "settings"), TABLES)
every_case = pytest.mark.parametrize(("name", "settings", "shape"), CASES)
every_table_case = pytest.mark.parametrize(("name", "settings", "shape"), TABLE_CASES)
every_task = pytest.mark.parametrize("task", TASKS)


def usual(name: str, outputs: int = 2, classification: bool = True) -> Shape:
    """What the family is met with, with such a target."""
    first = next(iter(SHAPES[FAMILIES[name].takes].values()))
    return dataclasses.replace(first, outputs=outputs, classification=classification)


def network(name: str, settings: dict[str, Any], shape: Shape, seed: int = 0) -> Network:
    family = FAMILIES[name]
    torch.manual_seed(seed)
    return family.build(family.config(family.settings(**settings), shape))


def batch(shape: Shape, rows: int = ROWS, seed: int = 1, weighted: bool = False) -> Batch:
    """Rows whose target follows from each part of the input by itself: a column, a token, a quarter."""
    g = torch.Generator().manual_seed(seed)
    rule = torch.Generator().manual_seed(99)  # the same rule for every batch
    draw = texts if shape.text else images if shape.image else table
    inputs, values = draw(shape, rows, g, rule)
    target = values.argmax(1) if shape.classification else values / values.std(0)
    weight = torch.rand(rows, generator=g) + 0.5 if weighted else None
    return Batch(inputs, target, weight)


Drawn = tuple[tuple[Tensor, ...], Tensor]


def table(shape: Shape, rows: int, g: torch.Generator, rule: torch.Generator) -> Drawn:
    numeric = torch.randn(rows, shape.numeric, generator=g)
    draws = [torch.randint(0, cardinality, (rows,), generator=g) for cardinality in shape.cardinalities]
    codes = torch.stack(draws, 1) if draws else torch.zeros(rows, 0, dtype=torch.long)
    values = numeric @ torch.randn(shape.numeric, shape.outputs, generator=rule)
    for i, cardinality in enumerate(shape.cardinalities):
        values = values + torch.randn(cardinality, shape.outputs, generator=rule)[codes[:, i]]
    return (numeric, codes), values


def texts(shape: Shape, rows: int, g: torch.Generator, rule: torch.Generator) -> Drawn:
    assert shape.text
    vocabulary, length = shape.text.vocabulary, shape.text.length
    lengths = torch.randint(1, length + 1, (rows, 1), generator=g)
    tokens = torch.randint(1, vocabulary, (rows, length), generator=g, dtype=torch.int32)
    tokens[torch.arange(length) >= lengths] = 0
    by_token = torch.randn(vocabulary, shape.outputs, generator=rule)
    by_token[0] = 0.0
    return (tokens,), by_token[tokens.long()].sum(1) / lengths.sqrt()


def images(shape: Shape, rows: int, g: torch.Generator, rule: torch.Generator) -> Drawn:
    assert shape.image
    channels, height, width = shape.image.channels, shape.image.height, shape.image.width
    quarters = torch.rand(rows, channels, 2, 2, generator=g)
    fine = torch.rand(rows, channels, height, width, generator=g) * 40
    pixels = torch.nn.functional.interpolate(quarters, (height, width)) * 200 + fine
    rules = torch.randn(channels * 4, shape.outputs, generator=rule)
    return (pixels.to(torch.uint8),), (quarters.flatten(1) - 0.5) @ rules


def loss_of(shape: Shape) -> Loss:
    return make_loss("Classification" if shape.classification else "Regression", None, 0.0)


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def train(net: Network, rows: Batch, loss: Loss, steps: int, rate: float = 0.03) -> None:
    optimizer = make_optimizer(net.parameters(), OptimizerSettings(learning_rate=rate))
    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        net.backward(rows, loss, generator(step))
        optimizer.step()


def gradients(net: Network) -> dict[str, Tensor]:
    return {n: torch.zeros_like(p) if p.grad is None else p.grad.clone() for n, p in net.named_parameters()}


def test_settings_are_the_manifests() -> None:
    for name, family in FAMILIES.items():
        member = Model.model_fields[name].annotation.__args__[0]  # type: ignore[union-attr]
        needed = NEEDED.get(name, {})
        told = {
            field: value.value.lower() if hasattr(value, "value") else value
            for field, value in member(**needed).model_dump().items()
        }
        assert dataclasses.asdict(family.settings(**needed)) == told
        assert family.name == name


@every_case
def test_a_config_survives_json(name: str, settings: dict[str, Any], shape: Shape) -> None:
    config = network(name, settings, shape).config
    assert FAMILIES[name].read_config(json.loads(json.dumps(config.to_json()))) == config


@every_variant
def test_weights_follow_from_the_seed(name: str, settings: dict[str, Any]) -> None:
    first, again = (network(name, settings, usual(name), seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first)


@every_variant
@pytest.mark.parametrize("rows", [2, 3, 64, 100, 1000])
def test_a_batch_that_fits_is_taken_and_is_most_of_what_was_offered(
    name: str, settings: dict[str, Any], rows: int
) -> None:
    net = network(name, settings, usual(name))
    taken = net.batch_rows(rows)
    assert rows / 2 <= taken <= rows
    assert net.batch_rows(taken) == taken
    value = net.train().backward(batch(usual(name), taken), loss_of(usual(name)), generator())
    assert value.shape == ()
    assert torch.isfinite(value)


@every_variant
@every_task
def test_training_learns(name: str, settings: dict[str, Any], task: str) -> None:
    shape = usual(name, *TASKS[task])
    net, rows, loss = network(name, settings, shape).train(), batch(shape), loss_of(shape)
    train(net, rows, loss, steps=90)
    fresh = batch(shape, seed=2)
    with torch.no_grad():
        before = loss(network(name, settings, shape).eval().outputs(*fresh.inputs), fresh.target)
        after = loss(net.eval().outputs(*fresh.inputs), fresh.target)
    assert after < 0.8 * before, (float(before), float(after))


@every_case
@pytest.mark.parametrize("weighted", [False, True])
def test_backward_gives_the_gradients_of_the_training_loss(
    name: str, settings: dict[str, Any], shape: Shape, weighted: bool
) -> None:
    net, rows, loss = network(name, settings, shape).train(), batch(shape, weighted=weighted), loss_of(shape)
    other = copy.deepcopy(net)
    value = net.backward(rows, loss, generator())
    expected = other.training_loss(rows, loss, generator())
    expected.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(value, expected.detach(), rtol=1e-5, atol=1e-6)
    assert not value.requires_grad
    found, wanted = gradients(net), gradients(other)
    for key in wanted:
        torch.testing.assert_close(found[key], wanted[key], rtol=1e-3, atol=1e-5)


@every_variant
@every_task
def test_a_row_without_weight_teaches_nothing(name: str, settings: dict[str, Any], task: str) -> None:
    shape = usual(name, *TASKS[task])
    rows, loss = batch(shape), loss_of(shape)
    weight = torch.ones(ROWS)
    weight[::3] = 0.0
    wrong = rows.target.clone()
    wrong[::3] = 0 if shape.classification else 1e3
    found = []
    for target in (rows.target, wrong):
        net = network(name, settings, shape).train()
        net.backward(Batch(rows.inputs, target, weight), loss, generator())
        found.append(gradients(net))
    for key in found[0]:
        torch.testing.assert_close(found[0][key], found[1][key], rtol=1e-4, atol=1e-6)


@every_variant
def test_only_the_ratio_of_weights_counts(name: str, settings: dict[str, Any]) -> None:
    shape = usual(name)
    rows, found = batch(shape), []
    for weight in (None, torch.full((ROWS,), 7.0)):
        net = network(name, settings, shape).train()
        found.append(net.backward(Batch(rows.inputs, rows.target, weight), loss_of(shape), generator()))
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-6)


@every_case
def test_a_row_is_answered_alike_in_any_company(name: str, settings: dict[str, Any], shape: Shape) -> None:
    net = network(name, settings, shape)
    net.train().backward(batch(shape), loss_of(shape), generator())  # moves running statistics
    inputs = batch(shape, 50, seed=8).inputs
    with torch.inference_mode():
        whole = net.eval().outputs(*inputs)
        single = torch.cat([net.outputs(*(part[i : i + 1] for part in inputs)) for i in range(50)])
        none = net.outputs(*(part[:0] for part in inputs))
    assert whole.shape == (50, 2)
    assert none.shape == (0, 2)
    torch.testing.assert_close(whole, single, rtol=1e-4, atol=1e-5)


@every_table_case
def test_missing_and_unseen_values_are_answered_and_explained(
    name: str, settings: dict[str, Any], shape: Shape
) -> None:
    net = network(name, settings, shape)
    net.train().backward(batch(shape), loss_of(shape), generator())
    numeric = torch.zeros(2, shape.numeric)
    codes = torch.tensor([[MISSING], [UNSEEN]]).expand(2, len(shape.cardinalities))
    assert net.eval().outputs(numeric, codes).isfinite().all()
    explained = net.explain(numeric, codes)
    assert explained.shape == (2, shape.numeric + len(shape.cardinalities))
    assert explained.isfinite().all()


@every_table_variant
@every_task
def test_the_column_that_decides_explains(name: str, settings: dict[str, Any], task: str) -> None:
    outputs, classification = TASKS[task]
    shape, g = Shape(4, (5,), outputs, classification), torch.Generator().manual_seed(0)
    numeric, codes = torch.randn(ROWS, 4, generator=g), torch.randint(0, 5, (ROWS, 1), generator=g)
    values = numeric[:, 2]
    target = (
        (values * 1.5 + outputs / 2).clamp(0, outputs - 1).long()
        if classification
        else values[:, None].repeat(1, outputs)
    )
    net = network(name, settings, shape).train()
    train(net, Batch((numeric, codes), target), loss_of(shape), steps=80)
    share = net.eval().explain(numeric, codes).abs().sum(0)
    assert share.argmax() == 2, share.tolist()


@every_variant
def test_training_goes_on_from_saved_weights(name: str, settings: dict[str, Any]) -> None:
    shape = usual(name)
    net, rows, loss = network(name, settings, shape).train(), batch(shape), loss_of(shape)
    net.backward(rows, loss, generator())
    again = network(name, settings, shape, seed=77).train()
    again.load_state_dict(copy.deepcopy(net.state_dict()))
    values = [one.backward(rows, loss, generator(6)) for one in (net, again)]
    assert torch.equal(*values)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in net.state_dict().items())


@every_table_variant
def test_a_column_that_never_changes_does_no_harm(name: str, settings: dict[str, Any]) -> None:
    shape = usual(name)
    rows = batch(shape)
    numeric, codes = rows.inputs[0].clone(), rows.inputs[1].clone()
    numeric[:, 1], codes[:, 0] = 0.0, 3
    net = network(name, settings, shape).train()
    net.backward(Batch((numeric, codes), rows.target), loss_of(shape), generator())
    assert all(gradient.isfinite().all() for gradient in gradients(net).values())
    assert net.eval().outputs(numeric, codes).isfinite().all()


@every_variant
def test_half_precision_trains(name: str, settings: dict[str, Any]) -> None:
    shape = usual(name)
    net, rows, loss = network(name, settings, shape).train(), batch(shape), loss_of(shape)
    other = copy.deepcopy(net)
    with torch.autocast("cpu", torch.bfloat16):
        value = net.backward(rows, loss, generator())
    torch.testing.assert_close(value.float(), other.backward(rows, loss, generator()), rtol=0.05, atol=0.05)
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in net.parameters())
