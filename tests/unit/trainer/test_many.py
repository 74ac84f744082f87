"""Several processes train as one: the same weights and metrics, and one mind about when to stop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainer import many

EQUAL = ("mlp", "ensemble", "linear", "tabnet", "weighted", "regression", "lstm", "convnet")
Found = Callable[[str], list[Any]]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What three processes found, by scenario and rank; the last of them is killed in the last scenario."""
    folder = tmp_path_factory.mktemp("three")
    many.mixed(folder)
    names = (*EQUAL, "stopped", "tabnet-stopped", "nan", "other", "slow", "killed")
    command = [sys.executable, "-m", "tests.unit.trainer.many", str(folder)]
    processes = [
        subprocess.Popen([*command, str(rank), "3", *names], stderr=subprocess.PIPE, text=True)
        for rank in range(3)
    ]
    ended = [(process.communicate(timeout=300)[1], process.returncode) for process in processes]
    assert [code for _, code in ended] == [0, 0, -9], ended

    def found(name: str) -> list[Any]:
        paths = [folder / f"{name}-{rank}.pt" for rank in range(3)]
        return [torch.load(path) for path in paths if path.exists()]

    return found


@pytest.mark.parametrize("name", EQUAL)
def test_twenty_steps_equal_those_of_one_process(
    name: str, three: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many.tabnet, "_CELLS", many.CELLS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    many.mixed(tmp_path)
    alone = many.train(name, tmp_path)
    torch.set_num_threads(threads)
    assert alone["steps"] * 7 >= 20
    assert abs(alone["epochs"][0]["val_loss"] - alone["epochs"][-1]["val_loss"]) > 1e-3
    for one in three(name):
        assert (one["batch"], one["steps"], one["best"]) == (alone["batch"], alone["steps"], alone["best"])
        for key, value in alone["weights"].items():
            torch.testing.assert_close(
                one["weights"][key], value, rtol=1e-5, atol=1e-5, msg=lambda text, key=key: f"{key}: {text}"
            )
        for mine, expected in zip(one["epochs"], alone["epochs"], strict=True):
            assert mine == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", [*EQUAL, "tabnet-stopped"])
def test_all_processes_end_with_the_same_bits(name: str, three: Found) -> None:
    first, second, _ = (found.get("whole", found) for found in three(name))
    assert all(torch.equal(value, second["weights"][key]) for key, value in first["weights"].items())
    assert first["epochs"] == second["epochs"]


@pytest.mark.parametrize("name", ["stopped", "tabnet-stopped"])
def test_a_wish_of_one_stops_all_and_all_go_on_exactly(name: str, three: Found) -> None:
    for found in three(name):
        epoch, step = divmod(7, found["whole"]["steps"])  # wished before step 7, heard with its gradients
        assert found["first"]["at"] == [epoch, step]
        assert found["first"]["ended"].startswith(f"Stopped: stopped in epoch {epoch + 1} of 7")
        for again, whole in zip(found["again"]["epochs"], found["whole"]["epochs"][epoch:], strict=True):
            assert again == (whole if name == "stopped" else pytest.approx(whole, rel=1e-5, abs=1e-6))
        for key, value in found["whole"]["weights"].items():
            if name == "stopped":
                assert torch.equal(found["again"]["weights"][key], value), key
            torch.testing.assert_close(
                found["again"]["weights"][key],
                value,
                rtol=1e-5,
                atol=1e-6,
                msg=lambda text, key=key: f"{key}: {text}",
            )


def test_what_is_wrong_in_one_ends_all(three: Found) -> None:
    assert [f["ended"] for f in three("nan")] == [
        "InvalidSpec: training diverged: the loss is nan in epoch 1"
    ] * 3
    assert [f["ended"] for f in three("other")] == ["Defect: the processes begin with different weights"] * 3


def test_the_first_process_may_take_its_time(three: Found) -> None:
    for found in three("slow"):
        assert (found["made"].tolist(), found["by"]) == ([0, 1, 2], 0)


def test_processes_that_lose_one_say_that_they_are_not_to_blame(three: Found) -> None:
    ended = [found["ended"] for found in three("killed")]
    assert len(ended) == 2
    assert all(e.startswith("PeersLost: lost the other processes of this training") for e in ended), ended
