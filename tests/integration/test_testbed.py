"""The testbed itself: what every other integration test takes for granted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from testbed.cluster import Cluster, KubectlError
from testbed.processes import ProcessError, Processes, Program, free_port


def test_cluster_answers_its_administrator(cluster: Cluster) -> None:
    assert cluster.kubectl("get", "--raw", "/readyz").stdout == "ok"


def test_kubectl_failure_says_why(cluster: Cluster) -> None:
    with pytest.raises(KubectlError, match="not found"):
        cluster.kubectl("get", "namespace", "no-such-namespace")


@pytest.mark.kind
def test_kind_is_chosen_where_docker_answers(cluster: Cluster) -> None:
    if "NEMO_TEST_KUBECONFIG" in os.environ:
        pytest.skip("NEMO_TEST_KUBECONFIG names another cluster")
    assert cluster.description == "kind"


def test_kubectl_is_not_ended_before_its_own_timeout(cluster: Cluster) -> None:
    given = ("wait", "--for=delete", "namespace/default", "--timeout=3s")

    assert "timed out" in cluster.kubectl(*given, timeout=1, check=False).stderr


def test_service_account_has_only_its_own_rights(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    cluster.kubectl("create", "role", "reader", "--verb=get", "--resource=configmaps", "-n", namespace)
    cluster.kubectl(
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        f"--serviceaccount={namespace}:reader",
        "-n",
        namespace,
    )
    kubeconfig = cluster.service_account_kubeconfig(namespace, "reader")

    def may(verb: str, resource: str) -> bool:
        asked = cluster.kubectl(
            "auth", "can-i", verb, resource, "-n", namespace, "--kubeconfig", str(kubeconfig), check=False
        )
        return asked.stdout.strip() == "yes"

    assert may("get", "configmaps")
    assert not may("get", "secrets")


@pytest.mark.usefixtures("controllers")
def test_what_an_object_owns_goes_with_it(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "owner", "-n", namespace)
    owner = json.loads(cluster.kubectl("get", "configmap", "owner", "-n", namespace, "-o", "json").stdout)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "owned", "namespace": namespace, "ownerReferences": [reference]},
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(owned))
    cluster.kubectl("delete", "configmap", "owner", "-n", namespace)
    cluster.kubectl("wait", "--for=delete", "configmap/owned", "-n", namespace, "--timeout=60s", timeout=70)


def python(
    script: str, *, log: Path, ready: Callable[[], bool] | None = None, timeout: float = 10
) -> Program:
    return Program(log.name, [sys.executable, "-c", script], log=log, ready=ready, timeout=timeout, grace=0.5)


def test_process_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    script = "print('no licence for flux capacitor'); raise SystemExit(3)"
    with Processes() as processes, pytest.raises(ProcessError, match=r"exit code 3(?s:.)*flux capacitor"):
        processes.start(python(script, log=tmp_path / "early", ready=lambda: False))


def test_process_that_never_is_ready_shows_its_log(tmp_path: Path) -> None:
    script = "import time; print('warming up', flush=True); time.sleep(60)"
    with Processes() as processes, pytest.raises(ProcessError, match=r"not ready after(?s:.)*warming up"):
        processes.start(python(script, log=tmp_path / "slow", ready=lambda: False, timeout=1))


STOPS_ON_SIGTERM = """
import signal, sys, time
def stop(*_):
    print(time.monotonic(), flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print("up", flush=True)
time.sleep(60)
"""
IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def test_processes_stop_in_reverse_order_and_are_killed_if_they_ignore_sigterm(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    with Processes() as processes:
        for log, script in ((first, STOPS_ON_SIGTERM), (second, STOPS_ON_SIGTERM), (third, IGNORES_SIGTERM)):
            processes.start(python(script, log=log, ready=partial(_says, log, "up")))
        pids = [child.pid for child in processes]
    assert float(second.read_text().split()[-1]) < float(first.read_text().split()[-1])
    assert not any(_runs(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="PDEATHSIG is Linux")
def test_no_child_survives_a_killed_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from testbed.processes import Processes, Program\n"
        "child = Processes().start(Program('child', ['sleep', '60'], log=Path(sys.argv[1])))\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "log"], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    assert _runs(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def test_free_port_can_be_listened_on() -> None:
    assert 1024 <= free_port() <= 65535


def _says(log: Path, text: str) -> bool:
    return text in log.read_text()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    # A zombie has ended; only its exit code has not been read by its parent.
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
