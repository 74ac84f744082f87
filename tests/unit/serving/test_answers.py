"""What a real server answers: every status, both dialects, and the same numbers as the package itself."""

from __future__ import annotations

import concurrent.futures
import http.client
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.serving.servers import AUTHORISED, JSON, ROW, TOKEN, Running
from trainyard_model import Predictor

ODD = [
    ROW,
    {"age": None, "zone": None, "job": None},
    {"age": "51.5", "zone": "03", "job": "never seen"},
    {"age": "?", "zone": 3.0, "job": True},
    {"age": -1e6, "zone": 10**400, "job": 7},
]


def tensors(rows: list[dict[str, Any]], nested: bool = False) -> dict[str, Any]:
    def one(name: str, datatype: str) -> dict[str, Any]:
        cells = [[row[name]] if nested else row[name] for row in rows]
        shape = [len(rows), 1] if nested else [len(rows)]
        return {"name": name, "shape": shape, "datatype": datatype, "data": cells}

    return {"id": "q-1", "inputs": [one("job", "BYTES"), one("age", "FP64"), one("zone", "BYTES")]}


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_both_dialects_answer_what_the_package_answers(server: Running, built: Path, nested: bool) -> None:
    columns = {name: [row[name] for row in ODD] for name in ROW}
    columns["zone"][4] = str(columns["zone"][4])
    expected = Predictor.load(built).predict(columns)
    rows = server.predict({"rows": ODD} if nested else ODD).json()["rows"]
    assert [row["prediction"] for row in rows] == expected["prediction"].tolist()
    for label in ("no", "yes"):
        found = [row["probabilities"][label] for row in rows]
        assert found == pytest.approx(expected[f"probability_{label}"].tolist(), abs=1e-7)
    reply = server.ask("POST", "/v2/models/jobs/infer", tensors(ODD, nested)).json()
    assert (reply["model_name"], reply["model_version"], reply["id"]) == ("jobs", "7", "q-1")
    outputs = {tensor["name"]: tensor for tensor in reply["outputs"]}
    assert [outputs[n]["datatype"] for n in expected] == ["BYTES", "FP64", "FP64"]
    assert outputs["prediction"]["data"] == [row["prediction"] for row in rows]
    assert outputs["probability_yes"]["data"] == [row["probabilities"]["yes"] for row in rows]
    assert outputs["probability_yes"]["shape"] == [5]


def test_no_rows_and_chosen_outputs(server: Running) -> None:
    assert server.predict([]).json()["rows"] == []
    body = {**tensors([ROW]), "outputs": [{"name": "prediction"}]}
    reply = server.ask("POST", "/v2/models/jobs/infer", body).json()
    assert [tensor["name"] for tensor in reply["outputs"]] == ["prediction"]


def test_every_answer_names_version_and_request(server: Running) -> None:
    for reply in (server.predict([ROW]), server.predict(b"{"), server.ask("GET", "/v2/health/live")):
        assert reply.headers["x-model-version"] == "7"
        assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
    given = server.predict(b"{", {**AUTHORISED, "x-request-id": "mine-1"})
    assert given.headers["x-request-id"] == given.json()["request_id"] == "mine-1"
    assert server.predict([ROW], {**AUTHORISED, "x-request-id": "a b"}).headers["x-request-id"] != "a b"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"{", 400, "not JSON at line 1"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 3000, 400, "not JSON"),
        (b'[{"age": NaN}]', 400, "NaN is not JSON; write null"),
        ("row", 422, 'expected a list of row objects, or {"rows": [...]}, got string'),
        ([7], 422, "row 0: expected a row object, got number"),
        ([ROW] * 21, 413, "21 rows; this server takes at most 20"),
        ([ROW] * 100, 413, "larger than 4000 bytes"),
        ([{**ROW, "age": 1e300}], 422, "row 0: a number is too large"),
    ],
    ids=["cut", "bytes", "deep", "nan", "shape", "row", "rows", "body", "large"],
)
def test_what_is_refused(server: Running, body: Any, status: int, error: str) -> None:
    reply = server.predict(body)
    assert (reply.status, error in reply.json()["error"]) == (status, True), reply.body


def test_every_problem_has_its_row_and_column_and_no_value(server: Running) -> None:
    rows = [ROW, {"age": "secret", "zone": {}, "job": "x"}, {"agee": "secret", "zone": 1, "job": 1}]
    reply = server.predict(rows)
    assert reply.status == 422
    assert reply.json()["count"] == 4
    assert reply.json()["details"] == [
        {"row": 2, "column": "age", "expected": "number or null", "got": "nothing"},
        {
            "row": 2,
            "column": "agee",
            "expected": "no such column; did you mean 'age'?",
            "got": "string",
        },
        {"row": 1, "column": "age", "expected": "number or null", "got": "string"},
        {"row": 1, "column": "zone", "expected": "string, number, boolean or null", "got": "object"},
    ]
    assert b"secret" not in reply.body
    huge = server.predict([{**ROW, "age": 1}] * 3 + [{"x\ud800": 1}] * 15)
    assert (huge.status, len(huge.json()["details"]), huge.json()["count"]) == (422, 20, 60)
    text = server.predict(b'[{"age": 1e999, "zone": 1, "job": ""}]').json()
    assert text["details"][0]["expected"] == "a finite number or null"


@pytest.mark.parametrize(
    ("change", "column", "expected"),
    [
        ({"shape": [2]}, "age", "2 values, as the shape says"),
        ({"shape": [1, 2]}, "age", "shape [n] or [n, 1]"),
        ({"datatype": "TEXT"}, "age", "datatype FP64"),
        ({"data": ["x"]}, "age", "number or null"),
        ({"data": "x"}, "age", "data as an array"),
        ({"name": "job"}, "job", "one tensor"),
        ({"name": "ages"}, "ages", "no such column; did you mean 'age'?"),
        ({"shape": [2], "data": [1, 2]}, "age", "1 values, as in the first tensor"),
    ],
    ids=lambda value: str(value),
)
def test_tensors_that_do_not_fit(server: Running, change: Any, column: str, expected: str) -> None:
    body = tensors([ROW])
    body["inputs"][1].update(change)
    reply = server.ask("POST", "/v2/models/jobs/infer", body)
    assert reply.status == 422
    found = [(d["column"], d["expected"]) for d in reply.json()["details"]]
    assert (column, expected) in found
    assert server.ask("POST", "/v2/models/jobs/infer", [1]).status == 422
    many = server.ask("POST", "/v2/models/jobs/infer", tensors([{"age": 1, "zone": 1, "job": 1}] * 21))
    assert many.status == 413


def test_who_may_ask(server: Running) -> None:
    for path in ("/v2", "/v2/models/jobs"):
        assert server.ask("GET", path, headers={}).status == 401
        assert server.ask("GET", path).status == 200
    refused = server.predict([ROW], JSON)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Bearer realm="trainyard"')
    wrong = server.predict([ROW], {**JSON, "authorization": f"Bearer {TOKEN}x"})
    assert (wrong.status, "invalid_token" in wrong.headers["www-authenticate"]) == (401, True)
    for scheme in (f"bearer {TOKEN}", "Bearer another"):
        assert server.predict([ROW], {**JSON, "authorization": scheme}).status == 200
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/jobs/ready"):
        assert server.ask("GET", path, headers={}).status == 200
    assert server.ask("GET", "/docs").status == server.ask("GET", "/openapi.json").status == 404


def test_other_refusals(server: Running) -> None:
    assert server.ask("GET", "/v2/models/other").status == 404
    assert server.ask("POST", "/v2/models/other/infer", tensors([ROW])).status == 404
    assert server.ask("GET", "/nothing").json()["error"] == "Not Found"
    assert server.ask("GET", "/predict").status == 405
    form = {**AUTHORISED, "content-type": "application/x-www-form-urlencoded"}
    assert server.predict([ROW], form).status == 415
    assert server.predict([ROW], {**AUTHORISED, "content-encoding": "gzip"}).status == 415


def test_metadata_follows_the_protocol(server: Running) -> None:
    found = server.ask("GET", "/v2/models/jobs").json()
    assert found["inputs"] == [
        {"name": "age", "datatype": "FP64", "shape": [-1]},
        {"name": "zone", "datatype": "BYTES", "shape": [-1]},
        {"name": "job", "datatype": "BYTES", "shape": [-1]},
    ]
    assert [o["name"] for o in found["outputs"]] == ["prediction", "probability_yes", "probability_no"]
    assert (found["versions"], found["platform"]) == (["7"], "trainyard_tabnet")
    assert set(server.ask("GET", "/v2").json()) == {"name", "version", "extensions"}


def test_answers_over_a_kept_connection_do_not_wait_for_acknowledgements(server: Running) -> None:
    connection, times = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30), []
    for _ in range(30):
        began = time.perf_counter()
        connection.request("GET", "/v2/health/live")
        connection.getresponse().read()
        times.append(time.perf_counter() - began)
    connection.close()
    assert sorted(times)[5] < 0.03, "a delayed acknowledgement takes 0.04 s"


def unfinished(port: int, length: int, content: bytes = b"") -> socket.socket:
    """A request whose body does not come."""
    opened = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    opened.sendall(head.encode() + content)
    return opened


def test_more_at_once_than_allowed(server: Running) -> None:
    held = [unfinished(server.port, 100) for _ in range(3)]
    try:
        deadline = time.monotonic() + 10
        while "trainyard_serving_in_flight 3.0" not in server.metrics():
            assert time.monotonic() < deadline
        reply = server.predict([ROW])
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")
        assert server.ask("GET", "/v2/health/ready").status == 200
    finally:
        for one in held:
            one.close()
    deadline = time.monotonic() + 10
    while server.predict([ROW]).status != 200:
        assert time.monotonic() < deadline, "the places were not given back"
    assert 'code="499",route="/predict"' in server.metrics()
    assert 'code="500"' not in server.metrics()


def test_a_body_larger_than_it_says_is_not_read_whole(server: Running) -> None:
    opened = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
    head += "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    opened.sendall(head.encode() + b"1388\r\n" + b" " * 5000 + b"\r\n")  # and no end
    assert opened.recv(1000).startswith(b"HTTP/1.1 413")
    opened.close()


def test_metrics_tell_routes_codes_rows_and_reasons(server: Running) -> None:
    server.predict([ROW, ROW])
    server.predict([{}])
    server.ask("GET", "/some/path/nobody/knows")
    text = server.metrics()
    for line in (
        'trainyard_serving_request_seconds_count{code="200",route="/predict"}',
        'trainyard_serving_request_seconds_count{code="422",route="/predict"}',
        'trainyard_serving_request_seconds_count{code="404",route="other"}',
        'trainyard_serving_rows_total{route="/predict"}',
        'trainyard_serving_validation_errors_total{reason="missing_column"}',
        "trainyard_serving_in_flight 0.0",
    ):
        assert line in text
    assert re.search('model_info{family="tabnet",model="jobs",sha256="[0-9a-f]{64}",version="7"} 1.0', text)


def test_the_loop_answers_while_predictions_are_made(server: Running) -> None:
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        work = [pool.submit(server.predict, [ROW] * 20) for _ in range(30)]
        slowest = 0.0
        while not all(one.done() for one in work):
            began = time.perf_counter()
            assert server.ask("GET", "/v2/health/live").status == 200
            slowest = max(slowest, time.perf_counter() - began)
    assert {one.result().status for one in work} <= {200, 429}
    assert slowest < 5.0
