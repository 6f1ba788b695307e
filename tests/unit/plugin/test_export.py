"""`kubectl nemoeval export mlflow`: what is refused, repeated and never sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from nemo_eval_operator.plugin.export import mlflow
from tests.unit.lifecycle.objects import evaljob, followed
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run
from tests.unit.plugin.reported import answers, put_run

Answer = Callable[[httpx.Request], httpx.Response]

URI = ("--tracking-uri", "https://mlflow.test")


class Tracking:
    """An MLflow server in memory. `answers` are given first, in their order."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: Iterator[Answer] = iter(())
        self.artifact_uri = "mlflow-artifacts:/1/r/artifacts"

    def answered(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if (given := next(self.answers, None)) is not None:
            return given(request)
        run = {"info": {"run_id": "r", "artifact_uri": self.artifact_uri}}
        match request.url.path.removeprefix("/api/2.0/mlflow/"):
            case "experiments/get-by-name":
                return httpx.Response(200, json={"experiment": {"experiment_id": "1"}})
            case "runs/create":
                return httpx.Response(200, json={"run": run})
            case _:
                return httpx.Response(200, json={})

    @property
    def sent(self) -> str:
        return "\n".join(f"{one.url} {one.content.decode()}" for one in self.requests)


@pytest.fixture
def tracking(monkeypatch: pytest.MonkeyPatch) -> Tracking:
    found = Tracking()
    client = httpx.AsyncClient

    def connected(**options: Any) -> httpx.AsyncClient:
        return client(**{"transport": httpx.MockTransport(found.answered), **options})

    monkeypatch.setattr(httpx, "AsyncClient", connected)
    monkeypatch.setattr(mlflow, "FIRST_PAUSE_SECONDS", 0.0)
    for name in ("TOKEN", "USERNAME", "PASSWORD", "URI"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    return found


def fails(status: int) -> Answer:
    return lambda _: httpx.Response(status, text="<html>\n\x1b[31mno</html>")


def breaks(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


def test_an_outage_is_waited_for_and_then_reported(api: ClusterApi, run: Run, tracking: Tracking) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    tracking.answers = iter([breaks, fails(503), fails(429)])
    assert run("export", "mlflow", "new", *URI)[0] == 0
    tracking.answers = iter([breaks] * 4)
    code, out, err = run("export", "mlflow", "new", *URI)
    expected = "error: MLflow at https://mlflow.test cannot be reached: connection refused\n"
    assert (code, out, err) == (1, "", expected)


def test_a_run_is_not_created_twice_where_the_answer_is_lost(
    api: ClusterApi, run: Run, tracking: Tracking
) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    passes: list[Answer] = [
        lambda _: httpx.Response(200, json={"experiment": {"experiment_id": "1"}}),
        lambda _: httpx.Response(200, json={}),
    ]
    tracking.answers = iter([*passes, fails(503)])
    code, _, err = run("export", "mlflow", "new", *URI)
    assert code == 1
    assert err.startswith("error: MLflow answered 503 to /api/2.0/mlflow/runs/create: <html> ")
    assert [request.url.path for request in tracking.requests].count("/api/2.0/mlflow/runs/create") == 1


def test_credentials_are_those_of_mlflows_own_client(
    api: ClusterApi, run: Run, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    assert run("export", "mlflow", "new", *URI)[0] == 0
    assert {one.headers["authorization"] for one in tracking.requests} == {"Bearer t0ken"}
    tracking.answers = iter([fails(401)])
    code, _, err = run("export", "mlflow", "new", *URI)
    assert code == 1
    assert "MLflow refused the credentials (401): set MLFLOW_TRACKING_TOKEN" in err


def test_a_server_without_its_own_artifacts_keeps_the_rest(
    api: ClusterApi, run: Run, tracking: Tracking
) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    tracking.artifact_uri = "s3://bucket/1/r/artifacts"
    code, out, _ = run("export", "mlflow", "new", *URI)
    assert code == 0
    assert "artifacts are not stored: the server keeps them at s3" in out
    assert tracking.requests[-1].url.path == "/api/2.0/mlflow/runs/update"


def test_no_credential_is_sent(api: ClusterApi, run: Run, tracking: Tracking) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    results = api.config_maps["team-a", "new-results"]["data"]
    results["config.json"] = '{"params":{"extra":{"hf_token":"token-in-plain-text"}},"type":"custom"}'
    endpoint = {"url": "http://user:hunter2@model.test/v1", "model_id": "m", "api_key": "key-in-plain-text"}
    target = {"type": "model", "model": {"api_endpoint": endpoint}}
    api.objects["nemoevaljobs", "team-a", "new"]["spec"] |= {"target": target, "model": None}
    assert run("export", "mlflow", "new", *URI)[0] == 0
    assert "uid-of-new" in tracking.sent
    for secret in ("token-in-plain-text", "hunter2", "key-in-plain-text"):
        assert secret not in tracking.sent


def test_only_runs_that_ended_are_exported(api: ClusterApi, run: Run, tracking: Tracking) -> None:
    api.put("nemoevaljobs", evaljob(status=followed()))
    code, _, err = run("export", "mlflow", "qa-llama", *URI)
    assert (code, tracking.requests) == (1, [])
    wait = "Wait for it with `kubectl nemoeval wait qa-llama -n team-a`"
    assert err == f"error: qa-llama has not ended yet: Running. {wait}, then export it\n"


@pytest.mark.parametrize("uri", ["mlflow.test", "file:///tmp/mlruns", "databricks", "http://"])
def test_only_a_url_is_a_tracking_uri(api: ClusterApi, run: Run, tracking: Tracking, uri: str) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    code, _, err = run("export", "mlflow", "new", "--tracking-uri", uri)
    assert (code, tracking.requests) == (1, [])
    assert err == "error: the tracking URI has to start with http:// or https://\n"


def test_what_cannot_be_a_url_is_reported(api: ClusterApi, run: Run, tracking: Tracking) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    code, _, err = run("export", "mlflow", "new", "--tracking-uri", "http://mlflow.test:no")
    assert (code, err) == (1, "error: the tracking URI is not a URL: Invalid port: 'no'\n")
    code, _, err = run("export", "mlflow", "new", *URI, "--experiment", "x" * 100_000)
    assert (code, err.count("\n")) == (1, 1)
    assert "the name of the experiment cannot be part of a URL: URL too long" in err


def test_an_answer_that_is_not_mlflows_is_reported(api: ClusterApi, run: Run, tracking: Tracking) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    tracking.answers = iter([lambda _: httpx.Response(200, text="<html>login</html>")])
    code, _, err = run("export", "mlflow", "new", *URI)
    assert code == 1
    assert "is not answered by MLflow: check the tracking URI" in err


def test_a_failed_gate_and_a_cancelled_run_have_their_states(
    api: ClusterApi, run: Run, tracking: Tracking
) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    status = api.objects["nemoevaljobs", "team-a", "new"]["status"]
    status |= {"phase": "Cancelled"}
    for one, value in zip(status["conditions"], ("False", "False"), strict=True):
        one["status"] = value
    status["conditions"] += [
        status["conditions"][0] | {"type": kind, "status": "True"} for kind in ("Stalled", "Failed")
    ]
    assert run("export", "mlflow", "new", *URI)[0] == 0
    assert json.loads(tracking.requests[-1].content)["status"] == "KILLED"
