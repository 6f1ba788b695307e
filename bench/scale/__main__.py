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
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx

from bench.scale.bursts import MAX_JOBS, TIMES, Bursts, measure_burst
from bench.scale.measure import Bench, Figures, Subject, measure
from bench.scale.objects import Objects
from bench.scale.report import Runs, earlier_runs, write_report
from bench.scale.short_jobs import JOB_SECONDS, ShortJobs, measure_short_jobs
from nemo_eval_operator.kube import Credentials, httpx_client
from nemo_eval_operator.settings import Settings
from testbed.cluster import Cluster, start_cluster
from testbed.processes import Child, Processes, Program, free_port, http_ready, interrupt_on_sigterm
from testbed.stack import start_operator

ROOT: Final = Path(__file__).parent.parent.parent
BASELINE: Final = ROOT / "bench" / "baseline" / "operator.py"
SIZES: Final = (100, 1000, 3000, 10000)
SHORT_JOBS: Final = 3000
"""Jobs of the run in which results and new submissions compete."""
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
        "--short-jobs",
        type=int,
        default=SHORT_JOBS,
        help=f"number of jobs that run for {JOB_SECONDS:.0f} s each; 0: none (default: %(default)s)",
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
            cluster.apply_crds()
            stage = Stage(processes, cluster, workdir)
            machine = f"{_processor()}, {os.cpu_count()} cores"
            # After each run: what was measured is kept if this is interrupted.
            report = partial(
                write_report,
                options.output,
                machine=machine,
                remark=REMARK,
                earlier=earlier_runs(options.output, machine),
            )
            runs = asyncio.run(_all(stage, options.sizes, options.short_jobs, options.subjects, report))
    measured: list[Figures | ShortJobs] = [*runs.figures, *runs.short]
    ours = [one for one in measured if one.subject == "operator"]
    wrong = [one for one in ours if one.duplicates or one.lost]
    for one in wrong:
        print(f"FAILED: {one.jobs} jobs: {one.duplicates} duplicates, {one.lost} lost")
    return 1 if wrong else 0


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


async def _all(
    stage: Stage,
    sizes: list[int],
    short_jobs: int,
    subjects: list[str],
    report: Callable[[Runs], None],
) -> Runs:
    async with httpx_client(Credentials.find(stage.cluster.kubeconfig)) as kube:
        kube.timeout = httpx.Timeout(120)
        runs = Runs(limit=await _api_limit(stage, kube))
        for count in (size for size in sizes if size <= MAX_JOBS):
            runs.bursts += await _bursts(stage, kube, subjects, count)
            report(runs)
        for count in sizes:
            for subject in subjects:
                runs.figures.append(await _one(stage, kube, subject, count))
                report(runs)
        for subject in subjects if short_jobs else ():
            runs.short.append(await _short(stage, kube, subject, short_jobs))
            report(runs)
    return runs


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
    async with _bench(stage, kube, f"{subject}-{count}") as (bench, url):
        start = SUBJECTS[subject](stage, bench.namespace, url)
        return await measure(start, count, bench, stop=stage.processes.remove)


async def _bursts(stage: Stage, kube: httpx.AsyncClient, subjects: list[str], count: int) -> list[Bursts]:
    found = {subject: Bursts(subject, count) for subject in subjects}
    for number in range(1, TIMES + 1):
        for subject, bursts in found.items():
            async with _bench(stage, kube, f"{subject}-{count}-burst-{number}") as (bench, url):
                start = SUBJECTS[subject](stage, bench.namespace, url)
                await measure_burst(start, bursts, bench, stop=stage.processes.remove)
    return list(found.values())


async def _short(stage: Stage, kube: httpx.AsyncClient, subject: str, count: int) -> ShortJobs:
    async with _bench(stage, kube, f"{subject}-{count}-short", job_seconds=JOB_SECONDS) as (bench, url):
        start = SUBJECTS[subject](stage, bench.namespace, url)
        return await measure_short_jobs(start, count, bench, stop=stage.processes.remove)


@asynccontextmanager
async def _bench(
    stage: Stage, kube: httpx.AsyncClient, name: str, *, job_seconds: float | None = None
) -> AsyncIterator[tuple[Bench, str]]:
    """A namespace and an evaluator, with its URL, of one run."""
    namespace = f"bench-{name}"
    stage.cluster.kubectl("create", "namespace", namespace)
    with _load_evaluator(stage, job_seconds) as url:
        async with httpx.AsyncClient(base_url=url, timeout=60) as evaluator:
            say = partial(_say, name)
            yield Bench(kube=kube, evaluator=evaluator, namespace=namespace, say=say), url
    await _clear(stage, kube, namespace)


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


SUBJECTS: Final = {"operator": _operator, "baseline": _baseline}


@contextmanager
def _load_evaluator(stage: Stage, job_seconds: float | None) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "bench.scale.load_evaluator", str(port)]
    argv += [str(job_seconds)] if job_seconds else []
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
    """Delete the objects, whose operator has ended: the next run starts on an empty API server."""
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
    print(f"{time.strftime('%H:%M:%S')} {who:>19}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
