"""The operator does the same with every evaluator that NeMo's could turn out to be."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_local_evaluator.wire.quirks import Quirk
from testbed.cluster import Cluster
from testbed.model import ModelEndpoint
from testbed.processes import Processes
from testbed.stack import start_evaluator, start_operator
from tests.e2e.scenario import (
    BENCHMARK,
    JOB,
    Scenario,
    benchmark,
    data_benchmark,
    data_job,
    eventually,
    model_job,
)
from tests.e2e.stub_model import StubModel

CANNOT_CANCEL = {Quirk.CANCEL_404, Quirk.CANCEL_405, Quirk.CANCEL_501}


@pytest.fixture(scope="module", params=list(Quirk))
def quirk(request: pytest.FixtureRequest) -> Quirk:
    return Quirk(request.param)


@pytest.fixture(scope="module")
def odd_evaluator(
    quirk: Quirk,
    cluster: Cluster,
    crds: None,
    stub_model: StubModel,
    datasets: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """An evaluator of that quirk, which an operator uses for all namespaces; its URL."""
    workdir = tmp_path_factory.mktemp("odd")
    models = {"parrot": ModelEndpoint(stub_model.url, "parrot-1")}
    with Processes() as processes:
        url = start_evaluator(processes, workdir, datasets=datasets, models=models, quirks=[quirk])
        start_operator(processes, workdir, kubeconfig=cluster.kubeconfig, evaluator_url=url)
        yield url
        processes.check()


@pytest.fixture
def odd_world(cluster: Cluster, odd_evaluator: str, namespace: str, pausable_model: StubModel) -> Scenario:
    return Scenario(cluster, namespace, odd_evaluator)


def test_jobs_run_end_and_are_cancelled(quirk: Quirk, odd_world: Scenario, pausable_model: StubModel) -> None:
    scenario = odd_world
    scenario.apply(benchmark(), data_benchmark(), data_job("scored"))
    assert scenario.until_phase("scored", "Succeeded")["score"] == "exact=0.5"
    assert scenario.results("scored")["tasks"]

    pausable_model.stop_answering()
    scenario.apply(model_job("cancelled"), model_job("deleted"))
    for name in ("cancelled", "deleted"):
        scenario.until_phase(name, "Running")
    scenario.patch(JOB, "cancelled", {"spec": {"cancel": True}})
    scenario.until_phase("cancelled", "Cancelled")
    scenario.kubectl("delete", JOB, "deleted", "--wait=false")
    scenario.until_gone(JOB, "deleted")
    if quirk in CANNOT_CANCEL:
        assert "deleted instead" in scenario.event("cancelled", "CancelUnsupported")["message"]

    marks = [job["custom_fields"]["k8s-uid"] for job in scenario.remote_jobs()]
    assert len(marks) == len(set(marks)), "one remote job each"
    live = {job["status"] for job in scenario.remote_jobs()} & {"created", "pending", "running"}
    assert not live, "nothing goes on"


def test_a_benchmark_is_created_changed_and_deleted(quirk: Quirk, odd_world: Scenario) -> None:
    scenario = odd_world
    scenario.apply(data_benchmark())
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    scenario.apply(data_benchmark(config={**data_benchmark()["spec"]["config"], "description": "changed"}))

    def changed() -> bool:
        config = scenario.remote_config("rows")
        return config is not None and config.get("description") == "changed"

    eventually(changed, "the config's new description")
    scenario.apply(data_job("run"))
    scenario.until_phase("run", "Succeeded")
    scenario.kubectl("delete", JOB, "run", "--wait=false")
    scenario.until_gone(JOB, "run")
    scenario.kubectl("delete", BENCHMARK, "rows", "--wait=false")
    if quirk is Quirk.DELETE_USED_REFUSED:
        # Its job is still in the evaluator: the benchmark goes after a bounded wait, and says what stays.
        scenario.until_gone(BENCHMARK, "rows", seconds=90)
        assert scenario.remote_config("rows") is not None
        return
    scenario.until_gone(BENCHMARK, "rows")
    assert scenario.remote_config("rows") is None


def test_a_taken_name_is_reported(quirk: Quirk, odd_world: Scenario) -> None:
    scenario = odd_world
    scenario.apply(data_benchmark("first", config={**data_benchmark()["spec"]["config"], "name": "same"}))
    scenario.until_reason(BENCHMARK, "first", "ConfigReady")
    scenario.apply(data_benchmark("second", config={**data_benchmark()["spec"]["config"], "name": "same"}))
    scenario.until_reason(BENCHMARK, "second", "ConfigExists")
