"""What an evaluator answers, or its connection says, that no code expects: the trouble of that one alone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from testbed.cluster import Cluster
from testbed.processes import Child, Processes
from testbed.stack import start_operator
from tests.e2e.auth_proxy import AuthProxy
from tests.e2e.scenario import (
    BENCHMARK,
    JOB,
    Scenario,
    benchmark,
    connection,
    data_benchmark,
    data_job,
    eventually,
    model_job,
)
from tests.e2e.stub_model import StubModel

CONNECTION = "nemoevaluatorconnection"

StartOperator = Callable[[], Child]


class RawEvaluator:
    """Answers each request with the next of some byte strings, and with the last from then on."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.answered = 0

    def _serve(self) -> None:
        while True:
            try:
                talk, _ = self._listening.accept()
            except OSError:
                return
            with talk:
                talk.settimeout(10)
                try:
                    while b"\r\n\r\n" not in talk.recv(65536):
                        pass
                    talk.sendall(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])
                except OSError:
                    continue
                self.answered += 1

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def start(
    cluster: Cluster, crds: None, namespace: str, evaluator_url: str, tmp_path: Path
) -> Iterator[StartOperator]:
    with Processes() as processes:

        def start() -> Child:
            start_operator(
                processes,
                tmp_path,
                kubeconfig=cluster.kubeconfig,
                evaluator_url=evaluator_url,
                namespaces=[namespace],
                env={"NEMO_ALLOW_LOOPBACK_CONNECTIONS": "true"},
            )
            return list(processes)[-1]

        yield start
        processes.check()


BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def answer(head: bytes, body: bytes = b'{"data": []}') -> bytes:
    return head + b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "odd",
    [
        answer(b"HTTP/1.1 200 \xff"),
        answer(b"HTTP/1.1 200 \xff", b"\xff" * 100),
        answer(b"HTTP/1.1 500 \xed\xa0\x80\r\nRetry-After: \xb2", b'{"detail": "\xff"}'),
    ],
    ids=["usable", "garbage", "error"],
)
def test_an_evaluator_with_odd_answers_does_not_end_the_operator(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator, odd: bytes
) -> None:
    """It is busy once, so that the operator probes it, and what the probe gets is odd."""
    scenario = Scenario(cluster, namespace, evaluator_url)
    with RawEvaluator(BUSY, odd) as evaluator:
        operator = start()
        scenario.apply(connection("odd", evaluator.url), data_benchmark())
        eventually(lambda: evaluator.answered >= 3, "the odd answer was given to a probe and a look")
        # Probes come after 1, 2, 4 s: by then one that ends the operator would have done so.
        scenario.apply(data_job("neighbour"))
        scenario.until_phase("neighbour", "Succeeded")
        eventually(lambda: scenario.reason(CONNECTION, "odd"), "the connection has a status")
        assert operator.exit_code() is None


def authority(text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "authority"},
        "data": {"ca.crt": text},
    }


@pytest.mark.parametrize("become", ["url", "bundle"])
def test_a_deletion_ends_whatever_has_become_of_its_connection(
    cluster: Cluster,
    namespace: str,
    evaluator_url: str,
    start: StartOperator,
    pausable_model: StubModel,
    become: str,
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    pausable_model.stop_answering()
    with AuthProxy(evaluator_url) as door:
        start()
        scenario.apply(
            connection("door", door.url),
            benchmark(evaluatorRef={"name": "door"}),
            model_job("running", cancelTimeoutSeconds=5),
        )
        scenario.until_phase("running", "Running")
        if become == "url":
            scenario.patch(CONNECTION, "door", {"spec": {"url": "http://xn--"}})
            field = "spec.url: http://xn--"
        else:
            ca = {"configMapKeyRef": {"name": "authority", "key": "ca.crt"}}
            scenario.apply(authority("é"))
            scenario.patch(CONNECTION, "door", {"spec": {"tls": {"ca": ca}}})
            field = "spec.tls: the CA bundle"
        status = scenario.until_reason(CONNECTION, "door", "ConnectionNotReady")
        assert status["message"].startswith(field)
        assert scenario.conditions(CONNECTION, "door") == {"Ready": "False", "Stalled": "True"}

        scenario.kubectl("delete", JOB, "running", "--timeout=30s")
        assert "remote job" in scenario.event("running", "LeftInEvaluator")["message"]
        scenario.kubectl("delete", BENCHMARK, "qa", "--timeout=90s")
