"""Several operators at once, behind a proxy that records the requests of each to the evaluator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from testbed.faults import Exchange, FaultProxy, Moment
from testbed.processes import Child, Processes
from testbed.stack import start_operator
from tests.e2e.holding_proxy import HoldingProxy
from tests.e2e.scenario import Scenario, eventually

JOBS_PATH = "/v1/evaluation/jobs"


@dataclass(frozen=True)
class Replica:
    """One operator process; `sent` are its requests to the evaluator."""

    process: Child
    health_url: str
    sent: list[Exchange]

    def state(self) -> str | None:
        """The state in the response of /readyz; None without a response."""
        try:
            return str(httpx.get(self.health_url.replace("healthz", "readyz"), timeout=5).json()["state"])
        except httpx.TransportError:
            return None

    def until(self, state: str, *, seconds: float = 40) -> None:
        eventually(lambda: self.state() == state, f"{state}, now {self.state()}", seconds=seconds)

    def submitted(self) -> list[str]:
        """Names of the jobs whose POST came from this one."""
        return [
            json.loads(request.body)["custom_fields"]["k8s-name"]
            for request in self.sent
            if (request.method, request.path) == ("POST", JOBS_PATH)
        ]


def electing(scenario: Scenario, **times: str) -> dict[str, str]:
    """Settings of replicas of which one leads."""
    return {"NEMO_LEADER_ELECT": "true", "NEMO_LEASE_NAMESPACE": scenario.namespace, **times}


class Replicas:
    """Starts operators for one world; they end with the `with` block."""

    def __init__(self, scenario: Scenario, workdir: Path) -> None:
        self._world = scenario
        self._workdir = workdir
        self._stack = ExitStack()
        self._proxy = self._stack.enter_context(FaultProxy(scenario.evaluator_url))
        self.connections = self._stack.enter_context(HoldingProxy(urlsplit(self._proxy.url).port or 80))
        """What stands between all replicas and the evaluator: it can hold their requests."""
        self._processes = Processes()

    def start(self, name: str, env: Mapping[str, str], *, kubeconfig: Path | None = None) -> Replica:
        sent: list[Exchange] = []

        def observe(exchange: Exchange, moment: Moment) -> bool:
            if moment is Moment.ARRIVED and exchange.user == name:
                sent.append(exchange)
            return False

        self._proxy.observers.append(observe)
        health_url = start_operator(
            self._processes,
            self._workdir / name,
            kubeconfig=kubeconfig or self._world.cluster.kubeconfig,
            # One URL for all, as replicas have it; credentials are no part of an evaluator's identity.
            evaluator_url=f"http://{name}:not-checked@127.0.0.1:{self.connections.port}",
            namespaces=[self._world.namespace],
            env={"NEMO_SETTLE_SECONDS": "4", "NEMO_REQUEST_TIMEOUT_SECONDS": "3", **env},
        )
        return Replica(list(self._processes)[-1], health_url, sent)

    def __enter__(self) -> Self:
        self._stack.enter_context(self._processes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Last in, first out would stop the proxies while operators still use them.
        self._processes.stop()
        self._stack.close()
