"""From a finished job to a served prediction, on a real cluster: promoted, refused, pinned, tampered with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import serving
from tests.support.cluster import Manifest, Namespace, condition, status, training_job

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def candidate(name: str, model: str, epochs: int, **promotion: Any) -> Manifest:
    """Build a job whose result wants to serve."""
    training = {
        "epochs": epochs,
        "batchSize": 128,
        "optimizer": {"name": "adam", "learningRate": 0.02},
        "seed": 3,
    }
    wish = {"model": model, "mode": "Automatic", "gate": serving.GATE, **promotion}
    return training_job(name, training=training, promotion=wish)


def promoted(namespace: Namespace, name: str, state: str) -> Manifest:
    """Wait until a job's promotion is over; return the status."""
    final = {"Promoted", "Rejected", "RolledBack"}
    job = namespace.wait(
        name, lambda j: status(j).get("promotion", {}).get("state") in final, "decided on", 300
    )
    assert status(job)["promotion"]["state"] == state, status(job)["promotion"]
    return status(job)


def example(registered: str, number: str, folder: Path) -> str:
    """Return the first recorded row of a version as the body of a request."""
    folder.mkdir()
    serving.download(serving.version(registered, number)["tags"]["trainyard.artifactURI"], folder)
    recorded = json.loads((folder / "package.json").read_text())["inputExample"]
    return json.dumps([{name: values[0] for name, values in recorded.items()}])


@pytest.fixture(scope="module", autouse=True)
def started(new_namespace: Callable[[], Namespace]) -> dict[str, Namespace]:
    """The first job of each test, started together; most of the way to the first served answer is waiting."""
    namespaces = {name: new_namespace() for name in ("first", "weak", "honest")}
    for namespace in namespaces.values():
        serving.make_tokens(namespace)
    described = {"auth": {"tokenSecret": serving.TOKENS}}
    namespaces["first"].apply(candidate("first", "cells", 3, serving=described))
    namespaces["weak"].apply(serving.model_server("cells"), candidate("weak", "cells", 2))
    namespaces["honest"].apply(serving.model_server("cells"), candidate("honest", "cells", 3))
    return namespaces


def test_a_result_is_promoted_into_a_server_that_its_manifest_describes(
    started: dict[str, Namespace], tmp_path: Path
) -> None:
    namespace = started["first"]
    serving.verify_quickly(namespace, "cells")
    end = promoted(namespace, "first", "Promoted")
    assert condition(end, "Promoted")["status"] == "True"
    namespace.kubectl("wait", "tj/first", "--for=condition=Promoted", "--timeout=5s")
    namespace.kubectl("wait", "ms/cells", "--for=condition=Serving", "--timeout=5s")

    registered = f"{namespace.name}.cells"
    server = status(namespace.get("ms", "cells"))
    assert (server["state"], server["servingVersion"]) == ("Serving", "1")
    assert [past["version"] for past in server["history"]] == ["1"]
    assert serving.champion(registered) == "1"

    pinned = json.dumps(namespace.get("deployment", "cells-ms")["spec"]["template"])
    tags = serving.version(registered, "1")["tags"]
    assert tags["trainyard.artifactURI"] in pinned
    assert tags["trainyard.sha256"] == end["mlflow"]["modelSHA256"]
    assert tags["trainyard.sha256"] in pinned

    body = example(registered, "1", tmp_path / "one")
    good = serving.ask(namespace, "good", "cells", body)
    assert set(good["seen"]) == {"200 v1"}
    (row,) = json.loads(good["answer"])["rows"]
    assert sum(row["probabilities"].values()) == pytest.approx(1.0)
    assert set(serving.ask(namespace, "stranger", "cells", body, token="wrong")["seen"]) == {"401"}
    (wrong,) = json.loads(body)
    column = next(iter(wrong))
    refused = serving.ask(namespace, "refused", "cells", json.dumps([{**wrong, column: "blue"}]))
    assert set(refused["seen"]) == {"422"}
    (detail,) = json.loads(refused["answer"])["details"]
    assert (detail["row"], detail["column"]) == (0, column)


def test_better_is_promoted_worse_is_rejected_and_a_pin_goes_back(
    started: dict[str, Namespace], tmp_path: Path
) -> None:
    namespace = started["weak"]
    promoted(namespace, "weak", "Promoted")
    registered = f"{namespace.name}.cells"
    body = example(registered, "1", tmp_path / "one")

    serving.start_client(namespace, "load", "cells", body, requests=1001, rate=40, until_told=True)
    namespace.apply(candidate("strong", "cells", 60))
    promoted(namespace, "strong", "Promoted")
    assert serving.champion(registered) == "2"
    seen = serving.stop_client(namespace, "load")["seen"]
    assert set(seen) == {"200 v1", "200 v2"}, f"requests were lost or wrong during the rollout: {seen}"
    assert sum(seen.values()) > 1000

    namespace.apply(candidate("worse", "cells", 1))
    refused = promoted(namespace, "worse", "Rejected")
    said = condition(refused, "Promoted")
    assert said["status"] == "False"
    theirs = status(namespace.get("tj", "strong"))["metrics"]["test_log_loss"]
    for value in (refused["metrics"]["test_log_loss"], theirs):
        assert f"{value:.6g}" in said["message"], said["message"]
    assert serving.champion(registered) == "2"

    serving.merge(namespace, "cells", source={"version": "1", "promotions": None})
    server = serving.wait_server(namespace, "cells", servingVersion="1", state="Serving")
    assert [past["version"] for past in server["history"]] == ["1", "2", "1"]
    assert serving.champion(registered) == "1"
    assert set(serving.ask(namespace, "back", "cells", body)["seen"]) == {"200 v1"}


def test_a_package_that_does_not_reproduce_its_outputs_never_serves(
    started: dict[str, Namespace], tmp_path: Path
) -> None:
    namespace = started["honest"]
    promoted(namespace, "honest", "Promoted")
    registered = f"{namespace.name}.cells"
    body = example(registered, "1", tmp_path / "one")
    forged = serving.register(
        registered, serving.version(registered, "1"), tmp_path / "one", serving.tamper(tmp_path / "one")
    )
    serving.start_client(namespace, "load", "cells", body, requests=500, rate=20, until_told=True)
    serving.merge(namespace, "cells", source={"version": forged, "promotions": None})
    serving.refused(namespace, forged)
    serving.merge(namespace, "cells", rollout={"deadlineSeconds": 20})
    failed = serving.wait_server(namespace, "cells", failed=forged)
    assert failed["failedTarget"]["message"]
    assert failed["servingVersion"] == "1"
    assert serving.champion(registered) == "1"
    seen = serving.stop_client(namespace, "load")["seen"]
    assert set(seen) == {"200 v1"}, f"the old version did not keep serving: {seen}"
