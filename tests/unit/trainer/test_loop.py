"""Training goes on where it stopped, keeps the best epoch, and notices when it makes no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainer.jobs import job
from trainyard_model import Network
from trainyard_model.embedding import embedding_width
from trainyard_model.families.tabnet import TabNet, TabNetConfig
from trainyard_trainer.assembly import assemble
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import Prepared, prepare
from trainyard_trainer.errors import DataError, InvalidSpec, Stopped
from trainyard_trainer.fit.checkpoint import LATEST, CheckpointStore, Saved, State
from trainyard_trainer.fit.loop import Epoch, epoch_seed
from trainyard_trainer.resolve import Job

URI = "sqlite:///unused"


class Hooks:
    """Stops before a given step of the whole training, and saves to a store."""

    def __init__(self, store: CheckpointStore | None = None, stop_at: int | None = None) -> None:
        self.store, self.stop_at, self.asked = store, stop_at, 0
        self.epochs: list[Epoch] = []
        self.saved: list[Saved] = []
        self.said: list[str] = []

    def stopping(self) -> bool:
        """Count the steps."""
        self.asked += 1
        return self.stop_at is not None and self.asked > self.stop_at

    def epoch_done(self, epoch: Epoch) -> None:
        """Remember."""
        self.epochs.append(epoch)

    def say(self, text: str) -> None:
        """Remember."""
        self.said.append(text)

    def save(self, state: State, epoch: int) -> None:
        """To the store."""
        if self.store is not None:
            self.saved.append(self.store.save(state, epoch))


def setup(folder: Path, **changes: object) -> tuple[Job, Prepared]:
    one = job(URI, folder, **changes)
    return one, prepare(load(one.data, folder)[0], one.data)


def weights(network: Network) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in network.state_dict().values()])


def categorical(folder: Path) -> dict[str, object]:
    """Data whose training draws random numbers inside an epoch (category dropout)."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 5, (400,), generator=generator).tolist()
    lines = [f"{'abcde'[c]},{i % 17},{int(c > 2 or i % 5 == 0)}" for i, c in enumerate(codes)]
    (folder / "d.csv").write_text("\n".join(["c,n,y", *lines]) + "\n")
    return {"source": {"uri": str(folder / "d.csv")}, "target": "y"}


@pytest.mark.parametrize("stop_at", [1, 3, 7, 8], ids=lambda s: f"step-{s}")
def test_stopped_and_resumed_equals_uninterrupted(stop_at: int, tmp_path: Path) -> None:
    one, data = setup(tmp_path, data=categorical(tmp_path))
    network, fitter = assemble(one, data)
    fitter.run(Hooks())
    expected = weights(network)

    store = CheckpointStore(tmp_path / "c", "f")
    _, fitter = assemble(one, data)
    with pytest.raises(Stopped, match="state saved"):
        fitter.run(Hooks(store, stop_at))
    state = store.load()
    assert state is not None
    torch.manual_seed(99)  # whatever else happened in the process
    network, fitter = assemble(one, data)
    fitter.resume(state)
    again = Hooks()
    fitter.run(again)
    assert torch.equal(weights(network), expected)
    assert again.epochs[-1].number == one.fit.epochs


def test_the_step_never_waits_for_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, data = setup(tmp_path, data={"split": {"validation": 0.0, "test": 0.1}})
    _, fitter = assemble(one, data)
    calls = 0
    item = torch.Tensor.item

    def counted(self: torch.Tensor) -> object:
        nonlocal calls
        calls += 1
        return item(self)

    monkeypatch.setattr(torch.Tensor, "item", counted)
    fitter.run(Hooks())
    assert fitter.steps > 1
    assert calls == one.fit.epochs


def test_the_best_epoch_is_kept(tmp_path: Path) -> None:
    one, data = setup(tmp_path, training={"epochs": 12, "metric": "val_log_loss"})
    network, fitter = assemble(one, data)
    hooks = Hooks()
    fitter.run(hooks)
    best = min(hooks.epochs, key=lambda e: e.metrics["val_log_loss"])
    assert fitter.selection.best_epoch == best.number
    network.eval()
    again = fitter.scorer(fitter.outputs(fitter.validation), fitter.validation)
    assert again["val_log_loss"] == pytest.approx(best.metrics["val_log_loss"])


def test_early_stopping(tmp_path: Path) -> None:
    stopping = {"metric": "val_loss", "patience": 3, "minDelta": 100.0}
    one, data = setup(tmp_path, training={"epochs": 50, "earlyStopping": stopping})
    _, fitter = assemble(one, data)
    hooks = Hooks()
    fitter.run(hooks)
    assert len(hooks.epochs) == 4  # the first, and three that were not better by 100


def test_divergence_is_told_with_the_remedy(tmp_path: Path) -> None:
    one, data = setup(tmp_path, training={"optimizer": {"name": "sgd", "learningRate": 100.0}, "epochs": 30})
    data.train.inputs[0][:] = float("nan")
    _, fitter = assemble(one, data)
    with pytest.raises(InvalidSpec, match="training diverged: the loss is nan in epoch 1") as caught:
        fitter.run(Hooks())
    assert "learningRate (now 100.0)" in caught.value.remedy


def test_an_unknown_metric_is_told(tmp_path: Path) -> None:
    one, data = setup(tmp_path, training={"metric": "val_rocauc"})
    _, fitter = assemble(one, data)
    with pytest.raises(InvalidSpec, match=r"training.metric: 'val_rocauc' .* did you mean 'val_roc_auc'"):
        fitter.run(Hooks())


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "adadelta"])
def test_every_optimizer_learns(name: str, tmp_path: Path) -> None:
    one, data = setup(tmp_path, training={"optimizer": {"name": name}, "epochs": 8})
    _, fitter = assemble(one, data)
    hooks = Hooks()
    fitter.run(hooks)
    assert hooks.epochs[-1].metrics["train_loss"] < hooks.epochs[0].metrics["train_loss"]


@pytest.mark.parametrize(("rows", "batch"), [(1024, 1024), (1000, 1000), (1001, 1000), (129, 128), (3, 2)])
def test_batches_are_whole_virtual_batches(rows: int, batch: int) -> None:
    network = TabNet(TabNetConfig(2, (), (), 1, virtual_batch_size=128 if rows > 3 else 2))
    assert network.batch_rows(rows) == batch


def test_seeds_of_epochs_differ() -> None:
    seeds = {epoch_seed(seed, epoch) for seed in range(30) for epoch in range(200)}
    assert len(seeds) == 6000
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_widths_of_embeddings() -> None:
    assert [embedding_width(n + 2) for n in (1, 2, 3, 16, 10_000)] == [1, 1, 2, 4, 8]


def test_slots_alternate_and_damage_falls_back(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, "f")
    saved = [store.save({"epoch": i}, i) for i in range(3)]
    assert saved[0].slot == saved[2].slot != saved[1].slot
    assert store.load() == {"epoch": 2}
    saved[2].slot.write_bytes(b"half a fi")
    assert store.load() == {"epoch": 1}
    saved[1].slot.unlink()
    assert store.load() is None


def test_checkpoints_of_another_training_are_not_taken(tmp_path: Path) -> None:
    CheckpointStore(tmp_path, "f").save({"epoch": 1}, 1)
    assert CheckpointStore(tmp_path, "other").load() is None
    (tmp_path / LATEST).write_text("{")
    assert CheckpointStore(tmp_path, "f").load() is None


def mlp(**changes: Any) -> dict[str, Any]:
    """A small network whose training draws random numbers (dropout)."""
    return {
        "model": {"tabnet": None, "mlp": {"layers": 2, "width": 16, "dropout": 0.2}},
        "training": {"epochs": 4, "batchSize": 64, **changes},
    }


def trained(folder: Path, **changes: Any) -> tuple[torch.Tensor, list[Epoch], Hooks]:
    one, data = setup(folder, **changes)
    network, fitter = assemble(one, data)
    hooks = Hooks()
    fitter.run(hooks)
    return weights(network), hooks.epochs, hooks


@pytest.mark.parametrize("family", ["tabnet", "mlp"])
def test_deterministic_is_bit_identical(family: str, tmp_path: Path) -> None:
    changes = mlp() if family == "mlp" else {}
    changes["training"] = {**changes.get("training", {}), "deterministic": True}
    first, epochs, _ = trained(tmp_path, **changes)
    torch.rand(7)  # whatever else the process draws
    again, more, _ = trained(tmp_path, **changes)
    assert torch.equal(first, again)
    assert [dict(e.metrics) for e in epochs] == [dict(e.metrics) for e in more]


@pytest.mark.parametrize("schedule", [{"cosine": {}}, {"plateau": {"patience": 1, "factor": 0.5}}])
@pytest.mark.parametrize("stop_at", [2, 11], ids=lambda s: f"step-{s}")
def test_a_schedule_goes_on_where_it_was(stop_at: int, schedule: dict[str, Any], tmp_path: Path) -> None:
    changes = mlp(
        schedule={**schedule, "warmupEpochs": 0.5},
        optimizer={"name": "sgd", "learningRate": 0.5},
        metric="val_recall",
    )
    expected, epochs, _ = trained(tmp_path, **changes)
    one, data = setup(tmp_path, **changes)
    store = CheckpointStore(tmp_path / "c", "f")
    _, fitter = assemble(one, data)
    first = Hooks(store, stop_at)
    with pytest.raises(Stopped):
        fitter.run(first)
    network, fitter = assemble(one, data)
    state = store.load()
    assert state is not None
    fitter.resume(state)
    again = Hooks()
    fitter.run(again)
    assert torch.equal(weights(network), expected)
    rates = [e.metrics["learning_rate"] for e in first.epochs + again.epochs]
    assert rates == [e.metrics["learning_rate"] for e in epochs]
    assert len(set(rates)) > 1


def test_learning_rates_are_those_of_the_schedule(tmp_path: Path) -> None:
    schedule = {"step": {"everyEpochs": 2, "factor": 0.1}}
    _, epochs, _ = trained(tmp_path, **mlp(schedule=schedule, optimizer={"learningRate": 0.01}))
    assert [e.metrics["learning_rate"] for e in epochs] == pytest.approx([0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize("family", ["tabnet", "mlp"])
def test_bfloat16_products_and_float32_weights(family: str, tmp_path: Path) -> None:
    changes = mlp() if family == "mlp" else {}
    exact, epochs, _ = trained(tmp_path, **changes)
    changes["training"] = {**changes.get("training", {}), "precision": "BFloat16"}
    rough, rounded, _ = trained(tmp_path, **changes)
    assert not torch.equal(exact, rough)
    assert rounded[0].metrics["train_loss"] == pytest.approx(epochs[0].metrics["train_loss"], rel=0.1)
    assert rounded[-1].metrics["train_loss"] < 0.8 * rounded[0].metrics["train_loss"]
    one, data = setup(tmp_path, **changes)
    network, _ = assemble(one, data)
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_a_failing_compiler_is_told_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(function: object) -> Any:
        def call(*args: object) -> None:
            raise torch._dynamo.exc.TorchDynamoException("InvalidCxxCompiler: no C++ compiler\nmore")

        return call

    expected, _, _ = trained(tmp_path, **mlp())
    monkeypatch.setattr(torch, "compile", refuse)
    found, _, hooks = trained(tmp_path, **mlp(compile=True))
    assert torch.equal(found, expected)
    [said] = hooks.said
    assert said.endswith("goes on without it: InvalidCxxCompiler: no C++ compiler")


def test_clipping_bounds_a_step(tmp_path: Path) -> None:
    one, data = setup(tmp_path, **mlp())
    start, _ = assemble(one, data)
    before = weights(start)
    for clipping in ({"norm": 1e-6}, {"value": 1e-6}):
        changes = mlp(gradientClipping=clipping, optimizer={"name": "sgd", "learningRate": 1.0}, epochs=1)
        after, _, _ = trained(tmp_path, **changes)
        assert 0.0 < float((after - before).abs().max()) < 1e-4


@pytest.mark.parametrize("family", ["tabnet", "mlp"])
def test_rows_of_no_weight_teach_nothing(family: str, tmp_path: Path) -> None:
    """With half of the labels wrong and weighing nothing, the model learns the others."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, generator=generator)
    lines = []
    for i, value in enumerate(x.tolist()):
        right = int(value > 0)
        lines.append(f"{value:.6f},{i},{right if i % 2 else 1 - right},{i % 2}")
    (tmp_path / "w.csv").write_text("\n".join(["x,id,y,w", *lines]) + "\n")
    columns = {"weight": "w", "key": ["id"]}
    changes = mlp() if family == "mlp" else {}
    changes["training"] = {"epochs": 15, "batchSize": 64, "optimizer": {"learningRate": 0.02}}
    changes["data"] = {"source": {"uri": str(tmp_path / "w.csv")}, "target": "y", "columns": columns}
    _, epochs, _ = trained(tmp_path, **changes)
    assert max(e.metrics["val_accuracy"] for e in epochs) > 0.9


def test_class_weights_move_the_decision(tmp_path: Path) -> None:
    plain, _, _ = trained(tmp_path, **mlp())
    weighted = {**mlp(), "data": {"classWeights": {"fixed": {"malignant": 50.0}}}}
    _, epochs, _ = trained(tmp_path, **weighted)
    balanced, _, _ = trained(tmp_path, **{**mlp(), "data": {"classWeights": {"balanced": {}}}})
    assert epochs[-1].metrics["val_recall"] == 1.0
    assert not torch.equal(plain, balanced)
    with pytest.raises(DataError, match="there is no class 'malignent'; did you mean 'malignant'"):
        trained(tmp_path, **{**mlp(), "data": {"classWeights": {"fixed": {"malignent": 2.0}}}})


def test_a_family_with_a_backward_pass_of_its_own_is_not_compiled(tmp_path: Path) -> None:
    changes = {"training": {"epochs": 2, "batchSize": 128, "deterministic": True}}
    expected, _, _ = trained(tmp_path, **changes)
    changes["training"]["compile"] = True
    found, _, hooks = trained(tmp_path, **changes)
    assert torch.equal(found, expected)
    [said] = hooks.said
    assert said.startswith("training.compile: not used")
