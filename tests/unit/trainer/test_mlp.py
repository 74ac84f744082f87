"""The perceptron: linear where it has no layers, an ensemble where it has heads, explained completely."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression

from tests.unit.trainer.test_families import batch, generator, gradients, loss_of, network, train
from trainyard_model import Batch, Shape
from trainyard_model.families.attribution import log_odds
from trainyard_model.families.dropout import drop
from trainyard_model.families.mlp import MLP, Linear
from trainyard_model.families.mlp import network as code

SHAPE = Shape(3, (6, 4), 2)
HEADS = {"layers": 2, "width": 16, "heads": 4}


def one_hot(rows: Batch) -> np.ndarray:
    numeric, codes = rows.inputs
    hot = [torch.nn.functional.one_hot(codes[:, i], c) for i, c in enumerate(SHAPE.cardinalities)]
    return torch.cat([numeric, *hot], 1).numpy()


@pytest.mark.parametrize("outputs", [1, 3])
def test_no_layers_are_linear_regression(outputs: int) -> None:
    shape = Shape(3, (6, 4), outputs, classification=False)
    rows = batch(shape)
    noisy = Batch(rows.inputs, rows.target + torch.randn(rows.target.shape, generator=generator()))
    net = converged(shape, noisy)
    peer = LinearRegression().fit(one_hot(rows), noisy.target.numpy())
    np.testing.assert_allclose(net.outputs(*rows.inputs).detach(), peer.predict(one_hot(rows)), atol=2e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_no_layers_are_logistic_regression(classes: int) -> None:
    shape = Shape(3, (6, 4), classes)
    rows = batch(shape)
    flipped = torch.rand(len(rows.target), generator=generator()) < 0.3  # not separable
    noisy = Batch(rows.inputs, torch.where(flipped, (rows.target + 1) % classes, rows.target))
    net = converged(shape, noisy)
    peer = LogisticRegression(C=1e6, max_iter=5000, tol=1e-8).fit(one_hot(rows), noisy.target.numpy())
    found = torch.softmax(net.outputs(*rows.inputs), 1).detach()
    np.testing.assert_allclose(found, peer.predict_proba(one_hot(rows)), atol=2e-3)


def converged(shape: Shape, rows: Batch) -> Linear:
    net = network("mlp", {"layers": 0}, shape)
    assert isinstance(net, Linear)
    for rate in (0.05, 0.005, 0.0005):
        train(net, rows, loss_of(shape), steps=400, rate=rate)
    return net


def test_an_answer_is_the_mean_of_the_members_probabilities() -> None:
    net = network("mlp", HEADS, SHAPE).eval()
    assert isinstance(net, MLP)
    inputs = batch(SHAPE).inputs
    members = net.members(net.embed(*inputs))
    assert members.shape == (4, 256, 2)
    torch.testing.assert_close(torch.softmax(net.outputs(*inputs), 1), torch.softmax(members, 2).mean(0))


def test_the_loss_is_the_mean_of_the_members_losses() -> None:
    net = network("mlp", {**HEADS, "dropout": 0.0}, Shape(3, (), 2))
    rows, loss = batch(Shape(3, (), 2), weighted=True), loss_of(SHAPE)
    losses = [loss(out, rows.target, rows.weight) for out in net.members(net.embed(*rows.inputs))]
    torch.testing.assert_close(net.training_loss(rows, loss, generator()), torch.stack(losses).mean())
    assert len({round(value.item(), 4) for value in losses}) == 4  # members differ from the start


@pytest.mark.parametrize("settings", [HEADS, {"layers": 3, "width": 8}, {"layers": 0}])
def test_every_parameter_learns(settings: dict[str, int]) -> None:
    net = network("mlp", settings, SHAPE)
    net.backward(batch(SHAPE), loss_of(SHAPE), generator())
    assert [name for name, gradient in gradients(net).items() if not gradient.any()] == []


@pytest.mark.parametrize("settings", [HEADS, {"layers": 2, "width": 16}, {"layers": 0}])
def test_a_row_without_weight_is_a_row_that_is_not_there(settings: dict[str, float]) -> None:
    shape = Shape(3, (), 2)  # no category is hidden at random then
    rows, found = batch(shape), []
    weight = torch.ones(256)
    weight[::3] = 0.0
    kept = weight > 0
    fewer = Batch(tuple(part[kept] for part in rows.inputs), rows.target[kept])
    for one in (Batch(rows.inputs, rows.target, weight), fewer):
        net = network("mlp", {**settings, "dropout": 0.0}, shape)
        net.backward(one, loss_of(shape), generator())
        found.append(gradients(net))
    for key in found[0]:
        torch.testing.assert_close(found[0][key], found[1][key], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_slices_of_a_batch_add_up(weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, found = Shape(3, (), 2), []
    for cells in (2**21, 7 * 16 * 4):  # the second: slices of 7 rows
        monkeypatch.setattr(code, "_CELLS", cells)
        net = network("mlp", {**HEADS, "dropout": 0.0}, shape)
        rows = batch(shape, weighted=weighted)
        found.append(
            (
                net.backward(rows, loss_of(shape), generator()),
                gradients(net),
                net.explain(*(part[:14] for part in rows.inputs)),
            )
        )
    (value, grads, explained), (sliced, grads_sliced, explained_sliced) = found
    torch.testing.assert_close(sliced, value)
    torch.testing.assert_close(explained_sliced, explained)
    for key in grads:
        torch.testing.assert_close(grads_sliced[key], grads[key], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.999])
def test_dropout_drops_its_share_and_keeps_the_mean(probability: float) -> None:
    found = drop(torch.ones(1001, 999), probability, generator())
    assert float((found == 0).float().mean()) == pytest.approx(probability, abs=0.002)
    assert float(found.mean()) == pytest.approx(1.0, abs=0.05)
    assert torch.equal(found, drop(torch.ones(1001, 999), probability, generator()))


def test_a_residual_layer_that_says_nothing_changes_nothing() -> None:
    net = network("mlp", {"layers": 3, "width": 8}, SHAPE).eval()
    assert isinstance(net, MLP)
    inputs = batch(SHAPE).inputs
    x = net.embed(*inputs)
    for layer in list(net.hidden)[1:]:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.testing.assert_close(net.outputs(*inputs), net.head(torch.relu(net.hidden[0](x))))


@pytest.mark.parametrize("outputs", [2, 4, 1, 3])
@pytest.mark.parametrize("settings", [{"layers": 0}, {"layers": 3, "width": 32}, HEADS])
def test_attributions_add_up_to_what_the_row_changes(settings: dict[str, int], outputs: int) -> None:
    shape = Shape(3, (6, 4), outputs, classification=outputs in (2, 4))
    net, rows, loss = network("mlp", settings, shape), batch(shape), loss_of(shape)
    train(net, rows, loss, steps=60, rate=0.01)
    net.eval()
    answer = net.outputs(*rows.inputs)
    nothing = net.outputs(torch.zeros(1, 3), torch.zeros(1, 2, dtype=torch.long)).expand_as(answer)
    if shape.classification:
        chosen = torch.ones(256, dtype=torch.long) if outputs == 2 else answer.argmax(1)
        change = log_odds(answer, chosen) - log_odds(nothing, chosen)
    else:
        change = (answer - nothing).sum(1)
    error = (net.explain(*rows.inputs).sum(1) - change).abs()
    assert change.abs().mean() > 0.3
    assert error.mean() < 0.02 * change.abs().mean()
    assert error.max() < 0.05 * change.abs().max()


def test_log_odds_of_the_chosen_class() -> None:
    logits = torch.tensor([[0.0, 1.0, 3.0]])
    p = torch.softmax(logits, 1)[0, 1]
    torch.testing.assert_close(log_odds(logits, torch.tensor([1])), torch.log(p / (1 - p))[None])
