"""The LSTM: a packed sequence's answer whatever the padding, explained completely, the same side by side."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from tests.unit.trainer.test_families import batch, generator, gradients, loss_of, network, train
from tests.unit.trainer.test_loop import Hooks, setup, weights
from trainyard_model import Batch, Shape, TextShape
from trainyard_model.families.attribution import log_odds
from trainyard_model.families.lstm import LSTM
from trainyard_model.families.lstm import network as code
from trainyard_trainer.assembly import assemble
from trainyard_trainer.errors import Stopped
from trainyard_trainer.fit.checkpoint import CheckpointStore

SHAPE = Shape(0, (), 3, text=TextShape(20, 11))
POOLINGS = ("last", "max", "mean", "attention")
every_kind = pytest.mark.parametrize(
    ("pooling", "bidirectional", "layers"), list(itertools.product(POOLINGS, (False, True), (1, 2)))
)


@pytest.fixture(autouse=True)
def one_thread_each() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(shape: Shape = SHAPE, **settings: Any) -> LSTM:
    found = network("lstm", {"embedding_size": 6, "hidden_size": 5, **settings}, shape)
    assert isinstance(found, LSTM)
    return found.eval()


def texts(rows: int = 40, seed: int = 1) -> Tensor:
    """Of every length, padded at the end."""
    (tokens,) = batch(SHAPE, rows, seed).inputs
    tokens[0, :] = 1  # one that fills all, one of a single token
    tokens[1, 1:] = 0
    return tokens


def padded_at_the_start(tokens: Tensor) -> Tensor:
    return torch.stack([torch.cat([row[row == 0], row[row != 0]]) for row in tokens])


@every_kind
def test_padding_and_neighbours_change_no_answer(pooling: str, bidirectional: bool, layers: int) -> None:
    net = make(pooling=pooling, bidirectional=bidirectional, layers=layers, dense_units=(4,))
    tokens = texts()
    expected = net.outputs(tokens)
    alone = torch.cat([net.outputs(row[row != 0][None]) for row in tokens])
    for same in (
        net.outputs(padded_at_the_start(tokens)),
        net.outputs(nn.functional.pad(tokens, (3, 5))),
        net.outputs(tokens.flip(0)).flip(0),
        alone,
    ):
        torch.testing.assert_close(same, expected, rtol=1e-4, atol=1e-6)
    assert expected.std(0).min() > 1e-4  # they do differ


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "max", "mean"])
def test_states_are_those_of_torchs_packed_sequences(pooling: str, bidirectional: bool) -> None:
    net, tokens = make(pooling=pooling, bidirectional=bidirectional, layers=2), texts()
    peer = nn.LSTM(6, 5, num_layers=2, bidirectional=bidirectional)
    ways = ["", "_reverse"] if bidirectional else [""]
    for i, layer in enumerate(net.layers):
        for way, direction in zip(ways, layer.children(), strict=True):
            for name, value in direction.named_parameters():
                peer.state_dict()[name.replace("_l0", f"_l{i}{way}")].copy_(value)
    lengths = (tokens != 0).sum(1)
    packed = pack_padded_sequence(net.embedding(tokens.t()), lengths, enforce_sorted=False)
    states, (last, _) = peer(packed)
    if pooling == "last":
        pooled = torch.cat(list(last[-len(ways) :]), 1)
    else:
        filled, _ = nn.utils.rnn.pad_packed_sequence(states, padding_value=torch.nan)
        pooled = filled.nan_to_num(-9.0).amax(0) if pooling == "max" else filled.nanmean(0)
    torch.testing.assert_close(net.outputs(tokens), net.head(pooled).detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_explanations_add_up_and_padding_has_no_part(pooling: str, bidirectional: bool) -> None:
    net = make(pooling=pooling, bidirectional=bidirectional, hidden_size=16, dropout=0.0)
    train(net.train(), batch(SHAPE), loss_of(SHAPE), steps=20, rate=0.01)
    tokens = padded_at_the_start(texts(12))
    found = net.eval().explain(tokens)
    assert not found[tokens == 0].any()
    lengths, chosen = (tokens != 0).sum(1), net.outputs(tokens).argmax(1)
    nothing = torch.cat([net._answer(code._Rows(torch.zeros(n, 1, 6), n[None])) for n in lengths])
    change = log_odds(net.outputs(tokens), chosen) - log_odds(nothing, chosen)
    assert change.abs().max() > 0.5
    assert ((found.sum(1) - change).abs() <= 0.021 * change.abs().clamp_min(0.1)).all()
    torch.testing.assert_close(found, net.explain(tokens.flip(0)).flip(0), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("classification", [True, False])
def test_the_token_that_decides_explains(classification: bool) -> None:
    shape = dataclasses.replace(SHAPE, outputs=2 if classification else 1, classification=classification)
    tokens = texts(256)
    tells = (tokens == 7).any(1)
    target = tells.long() if classification else tells.float()[:, None]
    net = make(shape, bidirectional=True, dropout=0.0)
    train(net.train(), Batch((tokens,), target), loss_of(shape), steps=80)
    share = net.eval().explain(tokens[tells][:40]).abs()
    right = tokens[tells][:40].gather(1, share.argmax(1, keepdim=True)) == 7
    assert right.float().mean() > 0.9


def test_a_text_of_nothing_is_answered() -> None:
    tokens = torch.zeros(2, 11, dtype=torch.int32)
    for pooling in POOLINGS:
        net = make(pooling=pooling, bidirectional=True)
        found = net.outputs(tokens)
        assert found.isfinite().all()
        torch.testing.assert_close(found, net.outputs(tokens[:, :1]))
        torch.testing.assert_close(found, net.outputs(tokens[:, :0]))
        assert not net.explain(tokens).any()
        assert net.explain(tokens[:, :0]).shape == (2, 0)
        assert net.outputs(tokens[:0, :0]).shape == (0, 3)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_parameter_learns(pooling: str) -> None:
    net = make(pooling=pooling, bidirectional=True, layers=2, dense_units=(4,)).train()
    net.backward(batch(SHAPE), loss_of(SHAPE), generator())
    found = gradients(net)
    assert [name for name, gradient in found.items() if not gradient.any()] == []
    assert not found["embedding.weight"][0].any()


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_slices_side_by_side_give_what_the_whole_gives(
    workers: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, loss = batch(SHAPE, 100, weighted=weighted), loss_of(SHAPE)
    net = make(bidirectional=True, layers=2).train()
    again, whole = copy.deepcopy(net), copy.deepcopy(net)
    assert net.share_out(100, workers) == again.share_out(100, workers) == workers
    expected = whole.training_loss(rows, loss, generator())
    expected.backward()  # type: ignore[no-untyped-call]
    answers = whole.eval().outputs(*rows.inputs)
    monkeypatch.setattr(code, "_CELLS", 11 * 4 * 5 * 16)  # 16 rows a slice
    assert len(net._cuts(100, 11)) >= 7
    for one in (net, again):
        value = one.backward(rows, loss, generator())
        torch.testing.assert_close(value, expected.detach(), rtol=1e-5, atol=1e-6)
    wanted, found, twice = gradients(whole), gradients(net), gradients(again)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-6)
        assert torch.equal(found[name], twice[name]), name
    torch.testing.assert_close(net.eval().outputs(*rows.inputs), answers, rtol=1e-4, atol=1e-6)


def test_randomness_is_the_generators() -> None:
    net, rows, loss = make(layers=2, dense_units=(4,)).train(), batch(SHAPE), loss_of(SHAPE)
    values = [net.training_loss(rows, loss, generator(seed)).item() for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


def test_vectors_are_started_from_and_frozen_or_tuned() -> None:
    vectors = torch.randn(20, 6)
    for trainable in (False, True):
        net = make().train()
        net.pretrained(vectors, trainable)
        train(net, batch(SHAPE), loss_of(SHAPE), steps=2)
        weight = net.embedding.weight.detach()
        assert torch.equal(weight[1:], vectors[1:]) is not trainable
        assert not weight[0].any()
    with pytest.raises(ValueError, match=r"shape \(20, 5\) for an embedding of shape \(20, 6\)"):
        make().pretrained(torch.randn(20, 5), True)


def test_the_outline_counts_every_parameter_once() -> None:
    net = make(pooling="attention", bidirectional=True, layers=2, dense_units=(4, 3))
    layers = net.outline()
    outer = [layer for layer in layers if layer.depth == 0]
    assert sum(layer.parameters for layer in outer) == sum(p.numel() for p in net.parameters())
    names = ["embedding", "layer 1", "layer 2", "pooling", "dense 1", "dense 2", "head", "output"]
    assert [layer.name for layer in outer] == names
    fed = [layers[layer.sources[0]].name if layer.sources[0] >= 0 else "input" for layer in outer]
    assert fed == ["input", *names[:-1]]
    inside = [layer for layer in layers if layer.depth == 1]
    assert sum(layer.parameters for layer in inside) == sum(layer.parameters for layer in outer[1:3])


def test_training_stopped_among_texts_goes_on_exactly(tmp_path: Path) -> None:
    small = {"embeddingSize": 8, "hiddenSize": 8, "layers": 2, "bidirectional": True}
    one, data = setup(
        tmp_path,
        model={"tabnet": None, "lstm": small},
        data={"source": {"uri": "sample://notes?rows=200"}},
        training={"epochs": 2, "batchSize": 16},
    )
    ended = []
    for stop_at in (None, 5):
        net, fitter = assemble(one, data)
        store = CheckpointStore(tmp_path / str(stop_at), "f")
        hooks = Hooks(store, stop_at)
        if stop_at is not None:
            with pytest.raises(Stopped):
                fitter.run(hooks)
            state = store.load()
            assert state is not None
            net, fitter = assemble(one, data)
            fitter.resume(state)
            hooks = Hooks()
        fitter.run(hooks)
        ended.append(weights(net))
        assert hooks.epochs[-1].metrics["val_loss"] < 5.0
    assert torch.equal(*ended)
