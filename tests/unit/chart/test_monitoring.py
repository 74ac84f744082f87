"""The dashboard and the alerts speak of metrics that exist, by labels that they have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from tests.unit.chart.test_chart import CHART, helm, of, template
from trainyard.controller.metrics import Metrics as OperatorMetrics
from trainyard.coordinator.metrics import Metrics as CoordinatorMetrics
from trainyard_trainer.serving.metrics import Metrics as ServingMetrics

__all__ = ["helm"]
FILES = CHART / "files"
BOARD = json.loads((FILES / "dashboard.json").read_text())
RULES = yaml.safe_load((FILES / "rules.yaml").read_text())
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]] + [
    rule["expr"] for group in RULES["groups"] for rule in group["rules"]
]
FROM_SCRAPING = {"namespace", "pod", "job", "le"}


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Every sample's name with its labels."""
    found: dict[str, set[str]] = {}
    for registry in (OperatorMetrics().registry, CoordinatorMetrics().registry, ServingMetrics().registry):
        found |= _samples(registry)
    found["trainyard_jobs"] = {"state", "cause"}  # made when it is scraped, as the next one
    found["process_resident_memory_bytes"] = set()
    return found


def _samples(registry: CollectorRegistry) -> dict[str, set[str]]:
    found = {}
    for collector in registry._collector_to_names:
        labels = set(getattr(collector, "_labelnames", ()))
        found |= dict.fromkeys(registry._collector_to_names[collector], labels)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_name_what_is_measured(expression: str, known: dict[str, set[str]]) -> None:
    names = re.findall(r"\b(?:trainyard|process)_[a-z_]+", expression)
    assert names
    for name in names:
        assert name in known, f"nothing measures {name}"
    grouped = [label for part in re.findall(r"by \(([^)]*)\)", expression) for label in part.split(", ")]
    selected = re.findall(r"(\w+)=~?\"", expression)
    for label in {*grouped, *selected} - FROM_SCRAPING:
        assert label in set().union(*(known[name] for name in names)), f"no {label} in {names}"


def test_every_alert_says_what_to_do() -> None:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"warning", "critical"}, rule["alert"]
            assert {"summary", "description"} <= set(rule["annotations"]), rule["alert"]


def test_panels_lie_side_by_side() -> None:
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    taken = {(x, p["y"]) for p in places for x in range(p["x"], p["x"] + p["w"])}
    assert len(taken) == sum(p["w"] for p in places)
    assert all(p["x"] + p["w"] <= 24 for p in places)


def test_monitoring_is_there_when_it_is_wanted(helm: str) -> None:
    nothing = template(helm)
    kinds = {"PrometheusRule", "PodMonitor"}
    assert not kinds & {body["kind"] for body in nothing}
    wanted = ["monitoring.dashboard=true", "monitoring.rules=true", "monitoring.podMonitor=true"]
    objects = template(helm, *wanted, "monitoring.labels.release=prometheus")
    assert kinds <= {body["kind"] for body in objects}
    board = of(objects, "ConfigMap")["trainyard-dashboard"]
    assert json.loads(board["data"]["trainyard.json"]) == BOARD
    rule = of(objects, "PrometheusRule")["trainyard"]
    assert rule["spec"] == RULES
    assert rule["metadata"]["labels"]["release"] == "prometheus"


def test_files_are_small_enough_for_a_config_map() -> None:
    assert Path(FILES / "dashboard.json").stat().st_size < 64 * 1024
