"""An election that cannot go on: its process must hear of it, or it would stay and never write."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from trainyard.controller.election import Election
from trainyard.controller.metrics import Metrics


def test_an_election_that_breaks_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    told: list[str] = []
    over = threading.Event()
    election = Election("ns", "operator", "me", Metrics())
    election.start(won=lambda: told.append("won"), lost=lambda why: (told.append(why), over.set()))
    assert over.wait(20)
    assert [text.partition(":")[0] for text in told] == ["the election broke"]
    assert election.write_seconds() <= 0.0


def test_without_a_lease_there_is_nobody_else() -> None:
    told: list[str] = []
    metrics = Metrics()
    election = Election("ns", "", "me", metrics)
    election.start(won=lambda: told.append("won"), lost=told.append)
    assert told == ["won"]
    assert election.write_seconds() > 1e9
    assert b"trainyard_leader 1.0" in metrics.render()
    election.stop()
    assert election.write_seconds() <= 0.0
