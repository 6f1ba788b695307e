"""Runs in a real MLflow server, as its own API shows them."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from nemo_eval_operator.plugin import access
from nemo_eval_operator.plugin.main import run_command_line
from testbed.mlflow import start_mlflow
from testbed.processes import ProcessError, Processes
from tests.unit.gates.documents import NAME
from tests.unit.plugin.cluster_api import ClusterApi, write_kubeconfig
from tests.unit.plugin.reported import answers, put_run

Export = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with Processes() as processes:
        try:
            url = start_mlflow(processes, tmp_path_factory.mktemp("mlflow"))
        except ProcessError as error:
            pytest.skip(str(error))
        with httpx.Client(base_url=url, timeout=60) as client:
            yield client


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> ClusterApi:
    api = ClusterApi()
    monkeypatch.setattr(access, "http_client", api.client)
    return api


@pytest.fixture
def export(
    mlflow: httpx.Client,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> Export:
    kubeconfig = str(write_kubeconfig(tmp_path_factory.mktemp("kubeconfig")))

    def run(*words: str) -> tuple[int, str, str]:
        options = ("--tracking-uri", str(mlflow.base_url), "--kubeconfig", kubeconfig)
        code = run_command_line(["export", "mlflow", *words, *options])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def runs_in(mlflow: httpx.Client, experiment: str) -> list[dict[str, Any]]:
    found = mlflow.get("/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": experiment})
    search = {"experiment_ids": [found.json()["experiment"]["experiment_id"]]}
    runs: list[dict[str, Any]] = mlflow.post("/api/2.0/mlflow/runs/search", json=search).json()["runs"]
    return runs


def pairs(run: dict[str, Any], kind: str) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in run["data"][kind]}


def steps(mlflow: httpx.Client, run: dict[str, Any], metric: str) -> list[tuple[int, float]]:
    query = {"run_id": run["info"]["run_id"], "metric_key": metric}
    found = mlflow.get("/api/2.0/mlflow/metrics/get-history", params=query).json()["metrics"]
    return sorted((one["step"], one["value"]) for one in found)


def files(mlflow: httpx.Client, run: dict[str, Any], folder: str) -> set[str]:
    query = {"run_id": run["info"]["run_id"], "path": folder}
    return {one["path"] for one in mlflow.get("/api/2.0/mlflow/artifacts/list", params=query).json()["files"]}


def test_a_run_is_stored_once_and_each_attempt_is_a_step(
    mlflow: httpx.Client, api: ClusterApi, export: Export
) -> None:
    put_run(api, "new", answers([1.0] * 30 + [0.0] * 10))
    for _ in range(2):
        assert export("new") == (0, "new: stored in experiment team-a/qa\n", "")
    (run,) = runs_in(mlflow, "team-a/qa")
    assert (run["info"]["run_name"], run["info"]["status"]) == ("new", "FINISHED")
    tags = pairs(run, "tags")
    assert (tags["nemo.uid"], tags["nemo.attempt"], tags["nemo.job_id"]) == ("uid-of-new", "1", "eval-of-new")
    parameters = pairs(run, "params")
    assert parameters["model"] == "meta/llama-3.1-8b-instruct"
    assert parameters["config.params.limit_samples"] == "50"
    assert pairs(run, "metrics")[NAME] == 0.75
    assert steps(mlflow, run, NAME) == [(1, 0.75)]
    assert files(mlflow, run, "attempt-1") == {
        f"attempt-1/{name}" for name in ("config.json", "results.json", "report.html", "report.json")
    }

    put_run(api, "new", answers([1.0] * 36 + [0.0] * 4), day=2, status={"attempt": 2})
    api.config_maps["team-a", "new-results"]["data"]["config.json"] = '{"type":"other"}'
    assert export("new")[0] == 0
    (run,) = runs_in(mlflow, "team-a/qa")
    assert steps(mlflow, run, NAME) == [(1, 0.75), (2, 0.9)]
    assert pairs(run, "tags")["nemo.attempt"] == "2"
    assert pairs(run, "params") == parameters
    assert len(files(mlflow, run, "attempt-2")) == 4


def test_names_that_mlflow_refuses_are_made_acceptable(
    mlflow: httpx.Client, api: ClusterApi, export: Export
) -> None:
    results: Any = answers([1.0, 0.0])
    results["tasks"]["/../q ä<a>"] = results["tasks"].pop("qa")
    put_run(api, "odd", results)
    code, _, err = export("odd", "--experiment", "odd names")
    assert (code, err) == (0, "")
    (run,) = runs_in(mlflow, "odd names")
    assert pairs(run, "metrics")["q __a_/answered/string-check"] == 0.5


def test_an_answer_of_mlflow_is_one_line(mlflow: httpx.Client, api: ClusterApi, export: Export) -> None:
    put_run(api, "new", answers([1.0, 0.0]))
    code, out, err = export("new", "--experiment", "x" * 20_000)
    assert (code, out) == (1, "")
    assert err.startswith("error: MLflow answered 4")
    assert err.count("\n") == 1
