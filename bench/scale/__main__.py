"""`make bench`: this operator, the tutorial's, and the API server's own limit, side by side in one run."""

import argparse
import asyncio
import os
import platform
import re
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx

from bench.scale.measure import Bench, Figures, Subject, measure
from bench.scale.objects import Objects
from bench.scale.report import earlier_figures, write_report
from nemo_eval_operator.kube import Credentials, httpx_client
from nemo_eval_operator.settings import Settings
from testbed.cluster import Cluster, start_cluster
from testbed.processes import Child, Processes, Program, free_port, http_ready, interrupt_on_sigterm
from testbed.stack import start_operator

ROOT: Final = Path(__file__).parent.parent.parent
BASELINE: Final = ROOT / "bench" / "baseline" / "operator.py"
SIZES: Final = (100, 1000, 10000)
LIMIT_OBJECTS: Final = 1000

OPERATOR_SECONDS: Final = 900.0
BASELINE_SECONDS: Final = 240.0
"""For each phase. A tutorial's operator does not get 10,000 jobs done, however long one waits."""

REMARK: Final = (
    f"The operator was given {OPERATOR_SECONDS:.0f} s for each phase, the baseline {BASELINE_SECONDS:.0f} s; "
    "what was not done by then is not reached."
)

CLEAR_SECONDS: Final = 300


@dataclass(frozen=True)
class Stage:
    """The parts that all runs share."""

    processes: Processes
    cluster: Cluster
    workdir: Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, help="numbers of jobs (default: %(default)s)"
    )
    parser.add_argument(
        "--subjects", nargs="+", default=["operator", "baseline"], choices=["operator", "baseline"]
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "benchmarks", help="where the report goes"
    )
    options = parser.parse_args()
    interrupt_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="nemo-bench-") as directory, Processes() as processes:
        workdir = Path(directory)
        with start_cluster(processes, workdir / "cluster") as cluster:
            crds = str(ROOT / "crds")
            cluster.kubectl("apply", "--server-side", "-f", crds)
            cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", crds)
            stage = Stage(processes, cluster, workdir)
            machine = f"{_processor()}, {os.cpu_count()} cores"
            # After each run: who is interrupted keeps what was measured.
            report = partial(
                write_report,
                options.output,
                machine=machine,
                remark=REMARK,
                earlier=earlier_figures(options.output, machine),
            )
            figures = asyncio.run(_all(stage, options.sizes, options.subjects, report))
    wrong = [one for one in figures if one.subject == "operator" and (one.duplicates or one.lost)]
    for one in wrong:
        print(f"FAILED: {one.jobs} jobs: {one.duplicates} duplicates, {one.lost} lost")
    return 1 if wrong else 0


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


async def _all(
    stage: Stage,
    sizes: list[int],
    subjects: list[str],
    report: Callable[[list[Figures], dict[str, float]], None],
) -> list[Figures]:
    async with httpx_client(Credentials.find(stage.cluster.kubeconfig)) as kube:
        kube.timeout = httpx.Timeout(120)
        limit = await _api_limit(stage, kube)
        figures: list[Figures] = []
        for count in sizes:
            for subject in subjects:
                if figures:
                    await _clear(stage, kube, f"bench-{figures[-1].subject}-{figures[-1].jobs}")
                figures.append(await _one(stage, kube, subject, count))
                report(figures, limit)
    return figures


async def _api_limit(stage: Stage, kube: httpx.AsyncClient) -> dict[str, float]:
    """How many writes a second this API server takes from a plain client."""
    namespace = "bench-limit"
    stage.cluster.kubectl("create", "namespace", namespace)
    objects = Objects(kube, namespace)
    names = [f"limit-{number}" for number in range(LIMIT_OBJECTS)]
    started = time.monotonic()
    await objects.apply(names)
    created = time.monotonic()
    await objects.patch_status(names, {"phase": "Running", "message": "x" * 200})
    patched = time.monotonic()
    limit = {
        "creates_per_second": LIMIT_OBJECTS / (created - started),
        "status_patches_per_second": LIMIT_OBJECTS / (patched - created),
    }
    _say(
        "limit",
        f"{limit['creates_per_second']:.0f} creates/s, {limit['status_patches_per_second']:.0f} patches/s",
    )
    await _clear(stage, kube, namespace)
    return limit


async def _one(stage: Stage, kube: httpx.AsyncClient, subject: str, count: int) -> Figures:
    namespace = f"bench-{subject}-{count}"
    stage.cluster.kubectl("create", "namespace", namespace)
    with _load_evaluator(stage) as url:
        async with httpx.AsyncClient(base_url=url, timeout=60) as evaluator:
            bench = Bench(
                kube=kube,
                evaluator=evaluator,
                namespace=namespace,
                say=lambda text: _say(f"{subject} {count}", text),
            )
            start = {"operator": _operator, "baseline": _baseline}[subject](stage, namespace, url)
            return await measure(start, count, bench, stop=stage.processes.remove)


def _operator(stage: Stage, namespace: str, url: str) -> Subject:
    def start() -> tuple[Child, str]:
        health = start_operator(
            stage.processes,
            stage.workdir / namespace,
            kubeconfig=stage.cluster.kubeconfig,
            evaluator_url=url,
            namespaces=[namespace],
            # As a user runs it: nothing is tuned for the bench.
            env={"NEMO_POLL_INTERVAL_SECONDS": str(Settings.model_fields["poll_interval_seconds"].default)},
        )
        return list(stage.processes)[-1], health

    return Subject(name="operator", start=start, singles=20, limit_seconds=OPERATOR_SECONDS)


def _baseline(stage: Stage, namespace: str, url: str) -> Subject:
    def start() -> tuple[Child, str]:
        health = f"http://127.0.0.1:{free_port()}/healthz"
        kopf = str(Path(sysconfig.get_path("scripts")) / "kopf")
        argv = [kopf, "run", "--namespace", namespace, "--liveness", health, "--quiet", str(BASELINE)]
        env = {"KUBECONFIG": str(stage.cluster.kubeconfig), "NVIDIA_EVALUATOR_URL": url}
        log = stage.workdir / namespace / "operator.log"
        return stage.processes.start(
            Program("baseline", argv, log=log, env=env, ready=http_ready(health))
        ), health

    return Subject(name="baseline", start=start, singles=5, limit_seconds=BASELINE_SECONDS)


@contextmanager
def _load_evaluator(stage: Stage) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "bench.scale.load_evaluator", str(port)]
    child = stage.processes.start(
        Program(
            "load evaluator",
            argv,
            log=stage.workdir / "evaluator.log",
            ready=http_ready(f"{url}/health"),
            cwd=ROOT,
        )
    )
    try:
        yield url
    finally:
        stage.processes.remove(child)


async def _clear(stage: Stage, kube: httpx.AsyncClient, namespace: str) -> None:
    """Objects go without their finalizers' owner, who is gone: the next run starts on an empty API server."""
    path = f"/apis/evaluator.nemo.dev/v1alpha1/namespaces/{namespace}/nemoevaljobs"
    items: list[dict[str, Any]] = (await kube.get(path)).json()["items"]
    held = [item["metadata"]["name"] for item in items if item["metadata"].get("finalizers")]
    headers = {"Content-Type": "application/merge-patch+json"}
    for name in held:
        await kube.patch(f"{path}/{name}", content='{"metadata":{"finalizers":null}}', headers=headers)
    await asyncio.to_thread(
        stage.cluster.kubectl,
        "delete",
        "namespace",
        namespace,
        f"--timeout={CLEAR_SECONDS}s",
        timeout=CLEAR_SECONDS + 10,
        check=False,
    )


def _say(who: str, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {who:>15}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
