"""Real parts, each its own process: API server, local evaluator, operator; and a model that tests control."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from testbed.model import ModelEndpoint
from testbed.processes import Processes
from testbed.stack import start_evaluator, start_operator
from tests.e2e.operator_stack import OperatorStack
from tests.e2e.replicas import Replicas
from tests.e2e.scenario import ROWS, Scenario
from tests.e2e.stub_model import StubModel


@pytest.fixture(scope="session")
def stub_model() -> Iterator[StubModel]:
    with StubModel() as stub_model:
        yield stub_model


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("datasets")
    (directory / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return directory


@pytest.fixture(scope="session")
def evaluator_url(
    stub_model: StubModel, datasets: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with Processes() as processes:
        models = {"parrot": ModelEndpoint(stub_model.url, "parrot-1")}
        yield start_evaluator(
            processes, tmp_path_factory.mktemp("evaluator"), datasets=datasets, models=models
        )
        processes.check()


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster, crds: None, evaluator_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """One operator for all tests of a module; it ends with that, since others bring their own."""
    with Processes() as processes:
        start_operator(
            processes,
            tmp_path_factory.mktemp("operator"),
            kubeconfig=cluster.kubeconfig,
            evaluator_url=evaluator_url,
        )
        yield
        processes.check()


@pytest.fixture
def scenario(cluster: Cluster, operator: None, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


@pytest.fixture
def stack(
    cluster: Cluster, crds: None, namespace: str, datasets: Path, stub_model: StubModel, tmp_path: Path
) -> Iterator[OperatorStack]:
    """A namespace whose evaluator and operator the test starts, halts and kills itself."""
    with Processes() as processes:
        yield OperatorStack(cluster, namespace, processes, tmp_path, datasets, stub_model)
        processes.check()


@pytest.fixture
def pausable_model(stub_model: StubModel) -> Iterator[StubModel]:
    """The model, for a test that stops its answers: it answers again afterwards."""
    yield stub_model
    stub_model.answer_again()


@pytest.fixture
def replicas(scenario: Scenario, tmp_path: Path) -> Iterator[Replicas]:
    """Operators that a test starts itself, where `scenario` is one without an operator."""
    with Replicas(scenario, tmp_path) as replicas:
        yield replicas
