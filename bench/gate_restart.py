"""What finished jobs with gates cost a restart: `python -m bench.gate_restart --jobs 10000`.

One gated job runs and is judged. Its spec and status are copied to the given number of objects, and the
operator is started again. The API server's own counters then show what the operator requested until it was
idle: nothing should be read or written for a job that is judged already. As a check of the counters the gates
of some jobs are changed after that, which has to show. The figures are in docs/scaling.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.scale.objects import GROUP, WRITES, Objects, api_requests, job_manifest
from bench.scale.process import cpu_seconds, peak_rss_mib, until_idle
from nemo_eval_operator.kube import Credentials, httpx_client
from testbed.cluster import start_cluster
from testbed.processes import Child, Processes
from testbed.stack import start_evaluator, start_operator

NAMESPACE: Final = "gate-restart"
JOBS: Final = f"{GROUP}/namespaces/{NAMESPACE}/nemoevaljobs"
FIRST: Final = "first"
CHANGED: Final = 10
"""Jobs whose gates are changed at the end."""

LIMIT_SECONDS: Final = 600.0
STEADY_SECONDS: Final = 5.0
STEADY_SHARE: Final = 0.1
"""Of a core: the operator is idle when it used less for STEADY_SECONDS."""


@dataclass(frozen=True)
class Stage:
    """The API server, and how an operator is started on it."""

    kube: httpx.AsyncClient
    processes: Processes
    workdir: Path
    kubeconfig: Path
    evaluator_url: str

    def operator(self) -> tuple[Child, str]:
        """Start an operator; return its process and the URL of its metrics."""
        health = start_operator(
            self.processes,
            self.workdir / "operator",
            kubeconfig=self.kubeconfig,
            evaluator_url=self.evaluator_url,
            namespaces=[NAMESPACE],
        )
        return list(self.processes)[-1], health.replace("healthz", "metrics")


def main() -> int:
    """Return 1 if the restart read or wrote anything, or if the changed gates do not show."""
    parser = argparse.ArgumentParser(prog="python -m bench.gate_restart", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="finished jobs (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nemo-bench-") as directory, Processes() as processes:
        workdir = Path(directory)
        with start_cluster(processes, workdir / "cluster") as cluster:
            cluster.apply_crds()
            cluster.kubectl("create", "namespace", NAMESPACE)
            evaluator_url = start_evaluator(processes, workdir / "evaluator", datasets=workdir)
            return asyncio.run(_measure(processes, workdir, cluster.kubeconfig, evaluator_url, options.jobs))


async def _measure(
    processes: Processes, workdir: Path, kubeconfig: Path, evaluator_url: str, count: int
) -> int:
    async with httpx_client(Credentials.find(kubeconfig)) as kube:
        kube.timeout = httpx.Timeout(120)
        stage = Stage(kube, processes, workdir, kubeconfig, evaluator_url)
        await _copy(stage, await _first(stage), count)
        before, started = await api_requests(kube), time.monotonic()
        operator, metrics = stage.operator()
        await _until_known(metrics, count + 1)
        await until_idle(operator.pid, share=STEADY_SHARE, seconds=STEADY_SECONDS, limit=LIMIT_SECONDS)
        seconds = time.monotonic() - started - STEADY_SECONDS
        restart = await api_requests(kube) - before
        print(
            f"{count} judged jobs: steady after {seconds:.0f} s, {cpu_seconds(operator.pid):.1f} s of CPU, "
            f"{peak_rss_mib(operator.pid):.0f} MiB"
        )
        read, written = _cost(restart)
        print(f"  requested by the restart: {_text(restart)}")
        changed = await _change(stage)
        print(f"  requested after {CHANGED} gates were changed: {_text(changed)}")
        judged_again = changed["configmaps", "GET"] >= CHANGED and _cost(changed)[1] > CHANGED
        return 0 if not read and not written and judged_again else 1


def gate(*, minimum: float) -> dict[str, Any]:
    """Return a gate by the one score of the job: it is 1."""
    return {"criteria": [{"score": "rows/exact/string-check", "minimum": minimum}]}


async def _first(stage: Stage) -> dict[str, Any]:
    """Run one gated job; return it as it is when it has been judged."""
    manifest = job_manifest(FIRST)
    manifest["spec"]["gate"] = gate(minimum=0.5)
    operator, _ = stage.operator()
    (await stage.kube.post(JOBS, json=manifest)).raise_for_status()
    found = await _until_verdict(stage.kube, FIRST, "Passed")
    await until_idle(operator.pid, share=STEADY_SHARE, seconds=STEADY_SECONDS, limit=LIMIT_SECONDS)
    stage.processes.remove(operator)
    return found


async def _copy(stage: Stage, first: dict[str, Any], count: int) -> None:
    """Create `count` objects with the spec and status of the first, which share its ConfigMaps."""
    objects = Objects(stage.kube, NAMESPACE)
    names = [f"judged-{number:05}" for number in range(count)]
    await objects.apply(names, lambda name: job_manifest(name) | {"spec": first["spec"]})
    await objects.patch_status(names, first["status"])


async def _change(stage: Stage) -> Counter[tuple[str, str]]:
    """Change the gates of some jobs; return what the operator requested until all were judged again."""
    names = [f"judged-{number:05}" for number in range(CHANGED)]
    before = await api_requests(stage.kube)
    patch = {"spec": {"gate": gate(minimum=1.5)}}
    headers = {"Content-Type": "application/merge-patch+json"}
    for name in names:
        (await stage.kube.patch(f"{JOBS}/{name}", json=patch, headers=headers)).raise_for_status()
    for name in names:
        await _until_verdict(stage.kube, name, "Failed")
    return await api_requests(stage.kube) - before


async def _until_verdict(kube: httpx.AsyncClient, name: str, verdict: str) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            found: dict[str, Any] = (await kube.get(f"{JOBS}/{name}")).raise_for_status().json()
            if found.get("status", {}).get("gate", {}).get("verdict") == verdict:
                return found
            await asyncio.sleep(0.2)


async def _until_known(metrics: str, count: int) -> None:
    """Wait until the operator's gauge of jobs has all of them."""
    async with asyncio.timeout(LIMIT_SECONDS), httpx.AsyncClient(timeout=60) as http:
        while True:
            # A busy operator may reset a connection.
            with suppress(httpx.TransportError):
                if await _known(http, metrics) >= count:
                    return
            await asyncio.sleep(0.5)


async def _known(http: httpx.AsyncClient, metrics: str) -> float:
    families = text_string_to_metric_families((await http.get(metrics)).text)
    samples = (sample for family in families for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == "nemo_eval_operator_jobs")


def _cost(requests: Counter[tuple[str, str]]) -> tuple[int, int]:
    """Return the single objects that were read, and the writes."""
    read = sum(count for (_, verb), count in requests.items() if verb == "GET")
    return read, sum(count for (_, verb), count in requests.items() if verb in WRITES)


def _text(requests: Counter[tuple[str, str]]) -> str:
    parts = [f"{count} {verb} {resource}" for (resource, verb), count in sorted(requests.items())]
    return ", ".join(parts) or "nothing"


if __name__ == "__main__":
    sys.exit(main())
