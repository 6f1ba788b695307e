"""What the operator costs while nothing changes: `python -m bench.idle --jobs 10000`.

One job is submitted. Its spec and status are copied to the given number of objects, each with a job that
runs in the evaluator, and the operator is started again. The CPU of a sweep, in which the operator reads the
evaluator's lists, is the operator's CPU while it is idle divided by its sweeps. The figures are in
docs/scaling.md.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from bench.scale.objects import CONNECTIONS, GROUP, Objects, job_manifest
from bench.scale.process import cpu_seconds, rss_mib, until_idle
from nemo_eval_operator.kube import Credentials, httpx_client
from nemo_eval_operator.settings import Settings
from testbed.cluster import start_cluster
from testbed.processes import Child, Processes, Program, free_port, http_ready, interrupt_on_sigterm
from testbed.stack import start_operator

NAMESPACE: Final = "idle"
OBJECTS: Final = f"{GROUP}/namespaces/{NAMESPACE}/nemoevaljobs"
EVALUATIONS: Final = "/v1/evaluation/jobs"
FIRST: Final = "first"
ROOT: Final = Path(__file__).parents[1]

LIMIT_SECONDS: Final = 600.0
STEADY_SECONDS: Final = 5.0
STEADY_SHARE: Final = 0.3
"""Of a core: the operator is idle when it used less for STEADY_SECONDS."""

LOOK_SECONDS: Final = 0.5
QUIET_SECONDS: Final = 2.0
"""Without a request of the operator: its sweep has ended. Requests of a sweep follow each other."""


@dataclass(frozen=True)
class Stage:
    """The API server, the evaluator, and how an operator is started on them."""

    kube: httpx.AsyncClient
    evaluator: httpx.AsyncClient
    processes: Processes
    workdir: Path
    kubeconfig: Path

    def operator(self, command: Sequence[str] = ()) -> Child:
        """Start an operator as a user runs it."""
        start_operator(
            self.processes,
            self.workdir / "operator",
            kubeconfig=self.kubeconfig,
            evaluator_url=str(self.evaluator.base_url),
            namespaces=[NAMESPACE],
            env={"NEMO_POLL_INTERVAL_SECONDS": str(Settings.model_fields["poll_interval_seconds"].default)},
            command=command,
        )
        return list(self.processes)[-1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="running jobs (default: %(default)s)")
    parser.add_argument(
        "--sweeps", type=int, default=6, help="sweeps of a measurement (default: %(default)s)"
    )
    parser.add_argument("--times", type=int, default=1, help="measurements of each (default: %(default)s)")
    parser.add_argument(
        "--command",
        nargs="+",
        type=shlex.split,
        default=[[]],
        help="commands of operators to measure in turn, without arguments (default: the one installed here)",
    )
    options = parser.parse_args()
    interrupt_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="nemo-bench-") as directory, Processes() as processes:
        workdir = Path(directory)
        with start_cluster(processes, workdir / "cluster") as cluster:
            cluster.apply_crds()
            cluster.kubectl("create", "namespace", NAMESPACE)
            evaluator_url = f"http://127.0.0.1:{(port := free_port())}"
            argv = [sys.executable, "-m", "bench.scale.load_evaluator", str(port)]
            ready = http_ready(f"{evaluator_url}/health")
            log = workdir / "evaluator.log"
            processes.start(Program("load evaluator", argv, log=log, ready=ready, cwd=ROOT))
            asyncio.run(_measure(processes, workdir, cluster.kubeconfig, evaluator_url, options))
    return 0


async def _measure(
    processes: Processes, workdir: Path, kubeconfig: Path, evaluator_url: str, options: argparse.Namespace
) -> None:
    async with (
        httpx_client(Credentials.find(kubeconfig)) as kube,
        httpx.AsyncClient(base_url=evaluator_url, timeout=60) as evaluator,
    ):
        kube.timeout = httpx.Timeout(120)
        stage = Stage(kube, evaluator, processes, workdir, kubeconfig)
        await _copy(stage, await _first(stage), options.jobs)
        for command in options.command * options.times:
            operator = stage.operator(command)
            await until_idle(operator.pid, share=STEADY_SHARE, seconds=STEADY_SECONDS, limit=LIMIT_SECONDS)
            seconds = await _cpu_of_a_sweep(operator, evaluator, options.sweeps)
            cost = f"{seconds:.3f} s of CPU a sweep, {rss_mib(operator.pid):.0f} MiB"
            print(f"{options.jobs} running jobs: {cost}  {shlex.join(command)}", flush=True)
            processes.remove(operator)


async def _first(stage: Stage) -> dict[str, Any]:
    """Submit one job; return its object as it is while the job runs."""
    operator = stage.operator()
    objects = Objects(stage.kube, NAMESPACE)
    async with objects.watched():
        await objects.apply([FIRST])
        await objects.until(lambda seen: FIRST in seen.submitted, seconds=LIMIT_SECONDS)
    await until_idle(operator.pid, share=STEADY_SHARE, seconds=STEADY_SECONDS, limit=LIMIT_SECONDS)
    found: dict[str, Any] = (await stage.kube.get(f"{OBJECTS}/{FIRST}")).raise_for_status().json()
    stage.processes.remove(operator)
    return found


async def _copy(stage: Stage, first: dict[str, Any], count: int) -> None:
    """Create `count` objects with the spec and status of the first, and a running job for each."""
    names = [f"idle-{number:05}" for number in range(count)]
    metadata = {"finalizers": first["metadata"]["finalizers"]}
    await Objects(stage.kube, NAMESPACE).apply(
        names, lambda name: job_manifest(name) | {"metadata": metadata | {"name": name}}
    )
    found = await stage.evaluator.get(f"{EVALUATIONS}/{first['status']['jobId']}")
    body, waiting = found.raise_for_status().json(), iter(names)
    for added in ("id", "status", "status_details"):
        del body[added]

    async def lane() -> None:
        for name in waiting:
            marks = body["custom_fields"] | {"k8s-name": name}
            created = await stage.evaluator.post(EVALUATIONS, json=body | {"custom_fields": marks})
            status = first["status"] | {"jobId": created.raise_for_status().json()["id"]}
            await Objects(stage.kube, NAMESPACE).patch_status([name], status)

    async with asyncio.TaskGroup() as lanes:
        for _ in range(CONNECTIONS):
            lanes.create_task(lane())


async def _cpu_of_a_sweep(operator: Child, evaluator: httpx.AsyncClient, count: int) -> float:
    """Return the CPU seconds of a sweep and of the pause after it, the mean of `count`."""
    await _end_of_sweep(evaluator)
    used = cpu_seconds(operator.pid)
    for _ in range(count):
        await _end_of_sweep(evaluator)
    return (cpu_seconds(operator.pid) - used) / count


async def _end_of_sweep(evaluator: httpx.AsyncClient) -> None:
    """Wait for the end of the next sweep: the evaluator counts requests, and then none for QUIET_SECONDS.

    The operator's own metrics would cost it more CPU than the pause between sweeps does.
    """
    before, now, unchanged = await _requests(evaluator), 0, 0.0
    async with asyncio.timeout(LIMIT_SECONDS):
        while now <= before or unchanged < QUIET_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            last, now = now, await _requests(evaluator)
            unchanged = unchanged + LOOK_SECONDS if now == last else 0.0


async def _requests(evaluator: httpx.AsyncClient) -> int:
    requests: dict[str, int] = (await evaluator.get("/bench/ledger")).json()["requests"]
    return sum(requests.values())


if __name__ == "__main__":
    sys.exit(main())
