"""Slices side by side give what they give one after the other, and the same bits every time."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.trainer.exact import Exact
from tests.unit.trainer.test_package import ROWS, package
from tests.unit.trainer.test_tabnet import CONFIG, make_batch
from trainyard_model import Predictor
from trainyard_model.families.base import Batch
from trainyard_model.families.tabnet import TabNet, network
from trainyard_model.families.workers import side_by_side

SAME = {"rtol": 1e-6, "atol": 1e-12}


@pytest.fixture(autouse=True)
def one_thread_each(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(network, "_CELLS_WORTH_A_WORKER", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@contextlib.contextmanager
def one_after_the_other() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "side_by_side", lambda work, items, workers: side_by_side(work, items, 1))
        yield


def make_net(workers: int) -> TabNet:
    torch.manual_seed(0)
    net = TabNet(CONFIG).double()
    net.workers = workers
    return net


def everything(net: TabNet, batch: Batch) -> dict[str, Tensor]:
    """Two batches' worth of gradients, so that the second is added to what is there."""
    losses = [net.backward(batch, Exact(), torch.Generator()) for _ in range(2)]
    found = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    assert len(found) == len(dict(net.named_parameters()))
    assert all(grad.is_contiguous() for grad in found.values())
    return {
        **{f"grad of {name}": grad for name, grad in found.items()},
        **net.state_dict(),
        "loss": sum(losses),
    }


@pytest.mark.parametrize("rows", [128, 107], ids=["whole", "ragged"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("workers", [2, 3])
def test_training(rows: int, weighted: bool, workers: int) -> None:
    batch = make_batch(CONFIG, rows, weighted)
    found = everything(make_net(workers), batch)
    assert len(make_net(workers).cuts(rows)) >= workers
    with one_after_the_other():
        torch.testing.assert_close(everything(make_net(workers), batch), found, **SAME)
    for name, again in everything(make_net(workers), batch).items():
        assert torch.equal(again, found[name]), name


def test_training_in_low_precision() -> None:
    batch = make_batch(CONFIG, 128)
    batch = dataclasses.replace(batch, inputs=(batch.inputs[0].float(), batch.inputs[1]))
    exact = everything(make_net(2).float(), batch)
    with torch.autocast("cpu", torch.bfloat16):
        found = everything(make_net(2).float(), batch)
        with one_after_the_other():
            serial = everything(make_net(2).float(), batch)
    torch.testing.assert_close(found, serial, rtol=1e-6, atol=1e-7)
    assert not torch.equal(found["grad of first"], exact["grad of first"])


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("rows", [1, 50, 51])
def test_answers(rows: int, inference: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_CELLS_AT_WORK", 8 * 32)
    inputs = make_batch(CONFIG, rows).inputs
    one, two = make_net(1), make_net(2)
    with torch.inference_mode(inference):
        for name in ("outputs", "explain", "masks"):
            expected, found = (getattr(net, name)(*inputs) for net in (one, two))
            torch.testing.assert_close(found, expected, **SAME)
            assert found.is_inference() == inference
            assert not found.requires_grad or name == "outputs"


def test_what_a_worker_raises_surfaces_when_all_are_done() -> None:
    done: list[int] = []

    def work(items: Sequence[int]) -> None:
        if items[0] == 1:
            raise ValueError("of the second")
        done.extend(items)

    with pytest.raises(ValueError, match="of the second"):
        side_by_side(work, (0, 1, 2), 3)
    assert sorted(done) == [0, 2]


def test_a_class_that_there_is_not_in_the_last_slice() -> None:
    net, batch = make_net(2), make_batch(CONFIG, 128)
    batch.target[-1] = 9
    with pytest.raises(IndexError):
        net.backward(batch, Exact(), torch.Generator())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not net.mean.any()


def test_workers_are_for_batches_that_are_worth_them(monkeypatch: pytest.MonkeyPatch) -> None:
    net = make_net(1)
    assert net.share_out(128, threads=2) == 2
    assert net.share_out(128, threads=64) == 4, "two virtual batches each"
    assert net.share_out(31, threads=2) == 1
    assert net.share_out(128, threads=1) == 1
    monkeypatch.setattr(network, "_CELLS_WORTH_A_WORKER", 128 * 32)
    assert net.share_out(128, threads=2) == 1
    assert net.share_out(256, threads=2) == 2
    assert [cut.count for cut in net.cuts(256)] == [8, 8]
    assert [cut.count for cut in net.cuts(128)] == [8], "fewer rows than it was made for"


def test_a_package_answers_many_rows_on_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    runs: list[int] = []

    def counted(work: Any, items: Sequence[Any], workers: int) -> Any:
        runs.append(workers)
        assert workers == 1 or torch.get_num_threads() == 1
        return side_by_side(work, items, workers)

    monkeypatch.setattr(network, "side_by_side", counted)
    many = {name: values * 300 for name, values in ROWS.items()}
    one = package("multiclass", "tabnet")
    answers = [Predictor(one, threads=threads) for threads in (1, 2)]
    serial, shared = (predictor.scores(many) for predictor in answers)
    assert set(runs) == {1, 2}
    assert torch.get_num_threads() == 2
    assert shared == pytest.approx(serial, abs=1e-6)
    assert answers[1].importance(many) == pytest.approx(answers[0].importance(many), abs=1e-6)
    assert torch.get_num_threads() == 2
