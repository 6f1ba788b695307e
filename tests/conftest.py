"""What all tests share: one Kubernetes API a session, started by the first test that asks for it."""

import contextlib
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from testbed.binaries import OLDEST_KUBERNETES
from testbed.chart import template
from testbed.cluster import Cluster, start_cluster
from testbed.helm import helm_command
from testbed.kind import why_not_kind
from testbed.processes import Processes
from tests.uncaptured import uncaptured

CRDS = Path(__file__).parent.parent / "crds"


# A machine that is busy with other tests must not fail one for its speed.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kind: needs kind and a running Docker engine")
    # What a shell starts in the background ignores Ctrl-C, and so would the programs whose Ctrl-C is tested.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needing_kind = [item for item in items if item.get_closest_marker("kind")]
    if needing_kind and (reason := why_not_kind()):
        for item in needing_kind:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A real Kubernetes API; see testbed/cluster.py for which one."""
    with contextlib.ExitStack() as stack:
        processes = stack.enter_context(Processes())
        with uncaptured(pytestconfig):
            started = stack.enter_context(start_cluster(processes, tmp_path_factory.mktemp("cluster")))
        yield started
        processes.check()


@pytest.fixture(scope="session")
def built_helm(pytestconfig: pytest.Config) -> None:
    """For tests that render or install the chart: Helm takes minutes to build."""
    with uncaptured(pytestconfig):
        helm_command()


@pytest.fixture(scope="session")
def crds(cluster: Cluster) -> None:
    """The project's custom resource definitions, served."""
    if os.environ.get("NEMO_TEST_KUBERNETES") == "oldest":
        # As the chart adapts them; `kubectl apply -f crds/` needs Kubernetes 1.30.
        older = ["--kube-version", OLDEST_KUBERNETES, "--show-only", "templates/crds.yaml"]
        cluster.kubectl("apply", "--server-side", "-f", "-", input=template(*older))
    else:
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own; its deletion is not waited for."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def controllers(cluster: Cluster) -> None:
    """For a test in which owner references are collected or a namespace ends."""
    if not cluster.has_controllers:
        pytest.skip(f"{cluster.description}: no controller manager")
