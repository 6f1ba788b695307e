"""The parts of a run and what can be done to them: started, killed, restarted, cut off."""

import contextlib
import json
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from testbed.chaos.hostile_evaluator import HostileEvaluator
from testbed.chaos.hostile_tenant import HostileTenant, prepare_tenant
from testbed.chaos.model import SlowModel
from testbed.chaos.workload import QUESTIONS
from testbed.cluster import Cluster, start_cluster
from testbed.faults import Fault, FaultProxy, Rule, Upstream, proxied_kubeconfig
from testbed.processes import Child, ProcessError, Processes, Program, free_port
from testbed.stack import operator_program, start_evaluator

__all__ = ["CUT_OFF", "SUSPENDED", "SUSPENDED_SECONDS", "Stage"]

_SETTLE_SECONDS: Final = 6
"""Short, for many rounds; yet even a busy evaluator must have created a job by then, faults included."""

_SETTINGS: Final = {
    "NEMO_SETTLE_SECONDS": str(_SETTLE_SECONDS),
    "NEMO_REQUEST_TIMEOUT_SECONDS": "3",
    "NEMO_POLL_INTERVAL_SECONDS": "0.5",
    "NEMO_ALLOW_LOOPBACK_CONNECTIONS": "true",  # the hostile evaluator is on this machine
}
_EVALUATOR_WORKERS: Final = 64  # jobs that never end by themselves must not hold up the others
CUT_OFF: Final = (Rule("*", "*", Fault.RESET_BEFORE),)
SUSPENDED: Final = (Rule("*", "*", Fault.GATEWAY_TIMEOUT, 0.5),)
SUSPENDED_SECONDS: Final = _SETTLE_SECONDS + 4.0
"""Longer than the settle time, so that only a failed look-up makes the operator wait again."""


@dataclass
class Stage:
    """A cluster, an evaluator and an operator between two proxies."""

    processes: Processes
    cluster: Cluster
    namespace: str
    evaluator_url: str
    to_evaluator: FaultProxy
    to_apiserver: FaultProxy
    tenant: HostileTenant
    hostile_evaluator: HostileEvaluator
    _operator_program: Program
    operator: Child | None = None
    exits: int = 0  # how often the operator ended by itself

    @classmethod
    @contextlib.contextmanager
    def set_up(cls, workdir: Path, *, namespace: str, seed: int) -> Iterator[Self]:
        """Everything but the operator runs, and the namespace and the CRDs are there."""
        with contextlib.ExitStack() as stack:
            processes = stack.enter_context(Processes())
            cluster = stack.enter_context(start_cluster(processes, workdir / "cluster"))
            _prepare(cluster, namespace)
            hostile_namespace = f"{namespace}-hostile"
            hostile_evaluator = stack.enter_context(HostileEvaluator(seed))
            tenant = HostileTenant(
                objects=prepare_tenant(cluster, hostile_namespace),
                victims=namespace,
                evaluator_url=hostile_evaluator.url,
                dice=random.Random(seed),  # noqa: S311 - guards nothing
            )
            model = stack.enter_context(SlowModel())
            datasets = workdir / "datasets"
            datasets.mkdir()
            (datasets / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
            evaluator_url = start_evaluator(
                processes, workdir, datasets=datasets, models=model.endpoints, workers=_EVALUATOR_WORKERS
            )
            to_evaluator = stack.enter_context(FaultProxy(evaluator_url, seed=seed))
            upstream = Upstream.of_kubeconfig(cluster.kubeconfig)
            to_apiserver = stack.enter_context(FaultProxy(upstream, seed=seed + 1))
            program = operator_program(
                workdir,
                kubeconfig=proxied_kubeconfig(
                    cluster.kubeconfig, proxy_url=to_apiserver.url, target=workdir / "kubeconfig"
                ),
                evaluator_url=to_evaluator.url,
                port=free_port(),
                namespaces=[namespace, hostile_namespace],
                env=_SETTINGS,
            )
            try:
                yield cls(
                    processes=processes,
                    cluster=cluster,
                    namespace=namespace,
                    evaluator_url=evaluator_url,
                    to_evaluator=to_evaluator,
                    to_apiserver=to_apiserver,
                    tenant=tenant,
                    hostile_evaluator=hostile_evaluator,
                    _operator_program=program,
                )
            finally:
                if not cluster.throwaway:
                    both = (namespace, hostile_namespace)
                    cluster.kubectl("delete", "namespace", *both, "--wait=false", check=False)

    def start_operator(self) -> None:
        """Start it and do not wait: it may well be killed before it is ready."""
        self.operator = self.processes.start(replace(self._operator_program, ready=None))

    def kill_operator(self) -> None:
        if self.operator is not None:
            self.operator.kill()

    def bury_operator(self) -> None:
        """Forget the dead one."""
        if self.operator is not None:
            self.processes.remove(self.operator)
            self.operator = None

    def operator_ended_by_itself(self) -> bool:
        return self.operator is not None and self.operator.exit_code() not in {None, -9}

    @contextlib.contextmanager
    def suspended(self, name: str) -> Iterator[None]:
        """Let the part called NAME stand still, with what it has received."""
        child = next(child for child in self.processes if child.program.name == name)
        os.killpg(child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(child.pid, signal.SIGCONT)

    def restart(self, name: str) -> bool:
        """Kill the part called NAME and start it again, at the same port; False where it is not ours."""
        child = next((child for child in self.processes if child.program.name == name), None)
        if child is None:
            return False
        child.kill()
        self.processes.remove(child)
        self.processes.start(child.program)
        return True

    def check(self) -> None:
        """Raise ProcessError if a part has ended that was not killed."""
        for child in self.processes:
            if child is not self.operator and child.exit_code() is not None:
                msg = f"{child.program.name} ended by itself; its log is {child.program.log}"
                raise ProcessError(msg)


def _prepare(cluster: Cluster, namespace: str) -> None:
    cluster.apply_crds(seconds=60)
    cluster.kubectl("create", "namespace", namespace)
