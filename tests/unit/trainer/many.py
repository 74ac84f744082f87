"""One of several processes of a test: joins the group, does what the scenario says, and writes what it found.

`python -m tests.unit.trainer.many FOLDER RANK SIZE SCENARIO...`; everything of a process lies in FOLDER.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tests.unit.trainer.jobs import job
from trainyard_model.families.tabnet import network as tabnet
from trainyard_trainer.assembly import assemble
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import prepare
from trainyard_trainer.errors import JobError
from trainyard_trainer.fit.checkpoint import CheckpointStore, State
from trainyard_trainer.fit.group import ALONE, Group
from trainyard_trainer.fit.loop import Epoch, Fitter
from trainyard_trainer.fit.meeting import join
from trainyard_trainer.launch.place import Place
from trainyard_trainer.stop import StopRequest

CELLS = 1
"""For TabNet: one virtual batch at a time, rows next to each other, in one process as in several."""
SGD = {"name": "sgd", "learningRate": 0.05, "momentum": 0.9}
TRAINING = {"epochs": 7, "batchSize": 84, "optimizer": SGD, "deterministic": True}
GENTLE = {**TRAINING, "optimizer": {"name": "sgd", "learningRate": 0.0005}}
"""For TabNet, whose masks make much of the last bit of a large step."""


def mixed(folder: Path) -> dict[str, Any]:
    """Numbers, categories and weights; 450 rows."""
    draw = torch.Generator().manual_seed(0)
    path = folder / "mixed.csv"
    if not path.exists():
        codes = torch.randint(0, 5, (450,), generator=draw).tolist()
        x = torch.randn(450, generator=draw).tolist()
        lines = [
            f"{'abcde'[c]},{v:.5f},{i % 7},{int(c > 2 or v > 1)},{1 + i % 4}"
            for i, (c, v) in enumerate(zip(codes, x, strict=True))
        ]
        path.write_text("\n".join(["c,x,n,y,w", *lines]) + "\n")
    return {"source": {"uri": str(path)}, "target": "y", "columns": {"weight": "w"}}


def spec(name: str, folder: Path) -> dict[str, Any]:
    """What is trained, by the scenario's name."""
    small = {"nD": 4, "nA": 4, "nSteps": 2, "virtualBatchSize": 28, "categoryDropout": 0.0}
    match name:
        case "mlp":
            return {
                "model": {"tabnet": None, "mlp": {"layers": 2, "width": 16, "dropout": 0.0}},
                "training": TRAINING,
            }
        case "ensemble":
            weights = {"classWeights": {"fixed": {"malignant": 3.0}}}
            return {
                "model": {"tabnet": None, "mlp": {"layers": 1, "width": 8, "heads": 4, "dropout": 0.0}},
                "training": {**TRAINING, "gradientClipping": {"norm": 0.5}},
                "data": weights,
            }
        case "linear":
            return {
                "model": {"tabnet": None, "mlp": {"layers": 0}},
                "training": TRAINING,
                "data": mixed(folder),
            }
        case "tabnet":
            columns = {"columns": {"drop": ["w"]}}
            return {"model": {"tabnet": small}, "training": GENTLE, "data": {**mixed(folder), **columns}}
        case "weighted":
            return {
                "model": {"tabnet": small},
                "training": GENTLE,
                "data": {**mixed(folder), "classWeights": {"balanced": {}}},
            }
        case "regression":
            return {
                "model": {"tabnet": small},
                "training": GENTLE,
                "data": {"source": {"uri": "sample://diabetes"}},
            }
        case "lstm":
            lstm = {"embeddingSize": 8, "hiddenSize": 8, "layers": 2, "bidirectional": True, "dropout": 0.0}
            return {
                "model": {"tabnet": None, "lstm": lstm},
                "training": {**TRAINING, "optimizer": {**SGD, "learningRate": 0.5}},
                "data": {"source": {"uri": "sample://notes"}, "trainFraction": 0.4},
            }
        case "convnet":
            convnet = {"conv": [{"channels": 4}, {"channels": 4, "pool": 1}], "dense": [{"units": 8}]}
            return {
                "model": {"tabnet": None, "convnet": convnet},
                "training": TRAINING,
                "data": {"source": {"uri": "sample://digits?as=image"}, "trainFraction": 0.25},
            }
    raise ValueError(name)


class Hooks:
    """Stops where told, remembers the rest."""

    def __init__(self, store: CheckpointStore | None = None, stop_at: int | None = None) -> None:
        self.store, self.stop_at, self.asked = store, stop_at, 0
        self.epochs: list[dict[str, float]] = []

    def stopping(self) -> bool:
        """From the given step on."""
        self.asked += 1
        return self.stop_at is not None and self.asked > self.stop_at

    def epoch_done(self, epoch: Epoch) -> None:
        """Remember."""
        self.epochs.append({k: float(v) for k, v in epoch.metrics.items()})

    def say(self, text: str) -> None:
        """Nothing."""

    def save(self, state: State, epoch: int) -> None:
        """To the store."""
        if self.store is not None:
            self.store.save(state, epoch)


def train(name: str, folder: Path, group: Group = ALONE, hooks: Hooks | None = None, **changes: Any) -> State:
    """Weights, metrics, the best epoch, and how it ended."""
    hooks, changes = hooks or Hooks(), {**spec(name, folder), **changes}
    one = job("sqlite:///unused", folder, **changes)
    network, fitter = assemble(one, prepare(load(one.data, folder)[0], one.data), group)
    if hooks.store is not None:
        state = group.share(hooks.store.load)
        if state is not None:
            fitter.resume(state)
    ended = ""
    try:
        fitter.run(hooks)
    except JobError as error:
        ended = f"{type(error).__name__}: {error.message}"
    return {
        "weights": network.state_dict(),
        "epochs": hooks.epochs,
        "best": fitter.selection.best_epoch,
        "batch": fitter.batch,
        "steps": fitter.steps,
        "at": [fitter.at.epoch, fitter.at.step],
        "ended": ended,
    }


def main() -> None:
    """Run the scenarios one after another."""
    torch.set_num_threads(1)
    tabnet._CELLS = CELLS
    folder, rank, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    stop = StopRequest()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    group = join(Place(rank, size, rank, size, f"file://{folder / 'meeting'}"), stop)
    for scenario in sys.argv[4:]:
        found = SCENARIOS.get(scenario, partial(train, scenario))(folder, group)
        torch.save(found, folder / f"{scenario}-{rank}.pt")
    group.close()


def stopped_and_resumed(folder: Path, group: Group) -> State:
    """One process wants to stop, all do, and go on from the first one's checkpoint; with dropout."""
    noisy = {"model": {"tabnet": None, "mlp": {"layers": 2, "width": 16, "dropout": 0.3}}}
    whole = train("mlp", folder, group, **noisy)
    wishes = 6 if group.rank == group.size - 1 else None
    first = train("mlp", folder, group, Hooks(CheckpointStore(folder / "saved", "f"), wishes), **noisy)
    again = train("mlp", folder, group, Hooks(CheckpointStore(folder / "saved", "f")), **noisy)
    return {"whole": whole, "first": first, "again": again}


def tabnet_resumed(folder: Path, group: Group) -> State:
    """The same of a family that keeps statistics for itself during an epoch."""
    whole = train("tabnet", folder, group)
    wishes = 6 if group.rank == 0 else None
    first = train("tabnet", folder, group, Hooks(CheckpointStore(folder / "tabnet-saved", "f"), wishes))
    again = train("tabnet", folder, group, Hooks(CheckpointStore(folder / "tabnet-saved", "f")))
    return {"whole": whole, "first": first, "again": again}


def not_a_number(folder: Path, group: Group) -> State:
    """The rows of the last process alone make the loss no number."""
    one = job("sqlite:///unused", folder, **spec("mlp", folder))
    data = prepare(load(one.data, folder)[0], one.data)
    if group.rank == group.size - 1:
        data.train.inputs[0][:] = float("nan")
    return _end_of(assemble(one, data, group)[1])


def other_weights(folder: Path, group: Group) -> State:
    """The last process begins with weights of its own."""
    one = job("sqlite:///unused", folder, **spec("mlp", folder))
    network, fitter = assemble(one, prepare(load(one.data, folder)[0], one.data), group)
    if group.rank == group.size - 1:
        with torch.no_grad():
            next(network.parameters()).add_(1e-6)
    return _end_of(fitter)


def _end_of(fitter: Fitter) -> State:
    try:
        fitter.run(Hooks())
    except JobError as error:
        return {"ended": f"{type(error).__name__}: {error.message}"}
    return {"ended": ""}


def slow(folder: Path, group: Group) -> State:
    """The first process takes its time; the others have what it made."""
    made: State = group.slowly(lambda: time.sleep(0.3) or {"made": torch.arange(3), "by": group.rank})  # type: ignore[func-returns-value]
    return made


def killed(folder: Path, group: Group) -> State:
    """The last process is killed in the middle of an epoch."""

    class Deadly(Hooks):
        def stopping(self) -> bool:
            """Never, but."""
            if super().stopping():
                os.kill(os.getpid(), signal.SIGKILL)
            return False

    return train("mlp", folder, group, Deadly(stop_at=6 if group.rank == group.size - 1 else None))


SCENARIOS: dict[str, Callable[[Path, Group], State]] = {
    "stopped": stopped_and_resumed,
    "tabnet-stopped": tabnet_resumed,
    "nan": not_a_number,
    "other": other_weights,
    "slow": slow,
    "killed": killed,
}

if __name__ == "__main__":
    main()
