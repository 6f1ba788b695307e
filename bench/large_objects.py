"""What objects cost the operator that are as large as the API server takes them: memory and latency.

    python -m bench.large_objects --objects 60
    python -m bench.large_objects --objects 1000 --inflated --seconds 600

Each object is a NemoEvalJob of 1.3 MB with 430,000 empty lists. They are there when the operator starts, and
the labels of three of them change all the time after that. The API server itself needs some 50 MB of memory
and a second of CPU for each, so that a thousand need a machine with 64 GB; etcd's quota of 2 GiB would take
1,500. With --inflated the API server keeps small objects, and `inflating_proxy` makes them as large on their
way to the operator, which cannot tell the difference.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

from bench.inflating_proxy import EMPTY_LISTS, MARKER
from nemo_eval_operator.kube import Credentials, httpx_client
from nemo_eval_operator.resources import API_VERSION
from testbed.cluster import start_cluster
from testbed.processes import Child, Processes, Program, free_port, http_ready
from testbed.stack import start_operator

NAMESPACE: Final = "large-objects"
JOBS: Final = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/nemoevaljobs"
PAUSE_SECONDS: Final = 0.1
CHURNED: Final = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=60)
    parser.add_argument("--inflated", action="store_true", help="let a proxy make the objects large")
    parser.add_argument("--seconds", type=float, default=60, help="for which the operator is observed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Processes() as processes:
        workdir = Path(name)
        with start_cluster(processes, workdir / "cluster") as cluster:
            cluster.apply_crds()
            asyncio.run(_measure(processes, workdir, cluster.kubeconfig, options))


async def _measure(
    processes: Processes, workdir: Path, kubeconfig: Path, options: argparse.Namespace
) -> None:
    seen_by_operator = _inflated(processes, workdir, kubeconfig) if options.inflated else kubeconfig
    async with httpx_client(Credentials.find(kubeconfig)) as kube:
        await _create(kube, options.objects, MARKER if options.inflated else [[]] * EMPTY_LISTS)
        begun = time.monotonic()
        url = start_operator(
            processes, workdir / "operator", kubeconfig=seen_by_operator, evaluator_url="http://127.0.0.1:9"
        )
        operator = list(processes)[-1]
        churn = asyncio.create_task(_churn(kube))
        answers, failed = await _ask(url, begun + options.seconds)
        churn.cancel()
        await asyncio.wait([churn])
        refused = await _refused(kube)
    answers.sort()
    print(f"{options.objects} objects, {EMPTY_LISTS:,} empty lists in each; {refused} say ObjectTooLarge")
    print(f"memory: {_kilobytes(operator, 'VmRSS') / 1024:.0f} MiB, at most {_peak(operator):.0f} MiB")
    p99 = answers[int(len(answers) * 0.99)]
    print(
        f"health check, {len(answers)} times: p99 {p99:.3f} s, at most {answers[-1]:.3f} s, failed {failed}"
    )


def _inflated(processes: Processes, workdir: Path, kubeconfig: Path) -> Path:
    """Start the proxy; the kubeconfig that leads to it."""
    port = free_port()
    argv = [sys.executable, "-m", "bench.inflating_proxy", str(kubeconfig), str(port)]
    url, log = f"http://127.0.0.1:{port}", workdir / "inflating_proxy.log"
    processes.start(Program("inflating-proxy", argv, log=log, ready=http_ready(f"{url}/readyz")))
    cluster = {"name": "inflated", "cluster": {"server": url}}
    context = {"name": "inflated", "context": {"cluster": "inflated", "user": "inflated"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{"name": "inflated", "user": {}}],
        "contexts": [context],
        "current-context": "inflated",
    }
    path = workdir / "inflated-kubeconfig"
    path.write_text(json.dumps(config))
    return path


async def _refused(kube: httpx.AsyncClient) -> int:
    """How many objects the operator has read and found too large."""
    table = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    answer = (await kube.get(JOBS, headers=table, timeout=120)).raise_for_status().json()
    return sum("ObjectTooLarge" in row["cells"] for row in answer["rows"])


async def _create(kube: httpx.AsyncClient, objects: int, value: object) -> None:
    await kube.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}})
    config = {"type": "custom", "params": {"extra": {"x": value}}, "tasks": {}}
    for number in range(objects):
        job = {
            "apiVersion": API_VERSION,
            "kind": "NemoEvalJob",
            "metadata": {"name": f"large-{number}"},
            "spec": {"config": config, "model": "m"},
        }
        content = json.dumps(job, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        (await kube.post(JOBS, content=content, headers=headers, timeout=120)).raise_for_status()


async def _churn(kube: httpx.AsyncClient) -> None:
    """Change a label of three objects until cancelled."""
    round_number = 0
    while True:
        round_number += 1
        for number in range(CHURNED):
            # A connection may be closed at any time; the next change has another one.
            with suppress(httpx.TransportError):
                await kube.patch(
                    f"{JOBS}/large-{number}",
                    json={"metadata": {"labels": {"churned": str(round_number)}}},
                    headers={"Content-Type": "application/merge-patch+json"},
                    timeout=120,
                )


async def _ask(url: str, until: float) -> tuple[list[float], int]:
    """How many seconds each health check took, and how many had no answer."""
    seconds: list[float] = []
    failed = 0
    async with httpx.AsyncClient(timeout=60) as client:
        while (begun := time.monotonic()) < until:
            try:
                await client.get(url)
            except httpx.TransportError:
                failed += 1
            seconds.append(time.monotonic() - begun)
            await asyncio.sleep(PAUSE_SECONDS)
    return seconds, failed


def _peak(process: Child) -> float:
    return _kilobytes(process, "VmHWM") / 1024


def _kilobytes(process: Child, name: str) -> int:
    (kilobytes,) = re.findall(rf"{name}:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    return int(kilobytes)


if __name__ == "__main__":
    main()
