"""`python -m testbed.demo`: the operator's main job, from nothing to scores, on real parts.

Starts a Kubernetes API, a language model, the local evaluator and the operator; applies crds/ and
deploy/samples; deletes one job while it runs, and checks that the evaluator has cancelled it; ends with what
kubectl shows. The exit code is 0 only if every job ended as it should.

    KEEP=1                 leave everything up afterwards, until Ctrl-C, whatever fails or ends
    MODEL_URL=… MODEL=…    evaluate MODEL at this OpenAI-compatible endpoint (MODEL_API_KEY, if it wants one)
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import yaml

from testbed.cluster import Cluster, KubectlError, prepare, start_cluster
from testbed.demo_view import JobRow, View, open_view
from testbed.model import MODEL_ID, ModelEndpoint, start_model
from testbed.processes import ProcessError, Processes, interrupt_on_sigterm, log_tail
from testbed.stack import start_evaluator, start_operator

__all__ = ["SAMPLES", "DemoError", "Stack", "demo_namespace", "limit", "main", "ready", "served_model"]

_ROOT: Final = Path(__file__).parent.parent
SAMPLES: Final = _ROOT / "deploy" / "samples"
_NAMESPACE: Final = "nemo-demo"
# The job of deploy/samples that takes long enough to be deleted while it runs.
_TO_DELETE: Final = "long-answers-smollm2"
# All is local and takes about a minute on two cores; an endpoint of the user's may think longer.
_LIMIT_SECONDS: Final = 300
_LIMIT_SECONDS_OWN_MODEL: Final = 1800
_FINISHED: Final = {"Succeeded", "Failed", "Cancelled"}
_ANSWERS_SHOWN: Final = 4


class DemoError(Exception):
    """Something did not end as it should."""


_FAILURES: Final = (DemoError, KubectlError, ProcessError, subprocess.TimeoutExpired)


@dataclass(frozen=True)
class Stack:
    """All the parts, up and ready for the samples."""

    processes: Processes
    cluster: Cluster
    evaluator_url: str
    model: ModelEndpoint

    @property
    def own_model(self) -> bool:
        """Whether the model is the user's."""
        return self.model.model_id != MODEL_ID


OpenStack = Callable[[Processes, Path], contextlib.AbstractContextManager[Stack]]


def main(open_stack: OpenStack) -> int:
    """Evaluate the samples on a stack; the exit code."""
    interrupt_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="nemo-demo-") as directory, Processes() as processes:
        try:
            with open_stack(processes, Path(directory)) as stack:
                keep = os.environ.get("KEEP", "0") not in {"", "0"}
                try:
                    _evaluate(stack)
                    _report(stack)
                except _FAILURES as error:
                    if not keep:
                        raise
                    _explain(error, processes)
                if keep:
                    _keep(stack)
        except KeyboardInterrupt:
            print("\nInterrupted; stopping everything.", flush=True)
            return 130
        except _FAILURES as error:
            _explain(error, processes)
            return 1
        finally:
            signal.alarm(0)
    return 0


def _explain(error: Exception, processes: Processes) -> None:
    print(f"\nThe demo failed: {error}", file=sys.stderr)
    for child in processes:
        if child.program.name in {"operator", "evaluator", "model"}:
            tail = log_tail(child.program.log)
            print(f"\nEnd of the {child.program.name}'s log:\n{tail}", file=sys.stderr)


@contextlib.contextmanager
def _local_stack(processes: Processes, workdir: Path) -> Iterator[Stack]:
    prepare()
    limit()
    with start_cluster(processes, workdir / "cluster") as administered:
        ready(administered.description)
        model = served_model(processes, workdir)
        evaluator_url = start_evaluator(
            processes, workdir, datasets=SAMPLES / "data", models={model.model_id: model}
        )
        ready(f"local NeMo Evaluator at {evaluator_url}")
        _apply_crds(administered)
        with demo_namespace(administered) as cluster:
            start_operator(
                processes,
                workdir,
                kubeconfig=cluster.kubeconfig,
                evaluator_url=evaluator_url,
                # In somebody's own cluster, only what is ours.
                namespaces=[] if cluster.throwaway else [_NAMESPACE],
            )
            ready("nemo-eval-operator")
            yield Stack(processes, cluster, evaluator_url, model)


def _users_model() -> ModelEndpoint | None:
    url, model_id = os.environ.get("MODEL_URL"), os.environ.get("MODEL")
    if url and model_id:
        return ModelEndpoint(url, model_id, os.environ.get("MODEL_API_KEY"))
    if url or model_id:
        raise DemoError("MODEL_URL and MODEL go together: set both, or neither.")
    return None


def limit() -> None:
    """From now on the demo may take as long as it should; main gives the time back."""
    seconds = _LIMIT_SECONDS_OWN_MODEL if _users_model() else _LIMIT_SECONDS

    def handler(_number: int, _frame: FrameType | None) -> None:
        msg = f"it has taken more than {seconds} s"
        raise DemoError(msg)

    signal.signal(signal.SIGALRM, handler)
    signal.alarm(seconds)


def served_model(processes: Processes, workdir: Path) -> ModelEndpoint:
    """The user's endpoint, else the small model, started."""
    if model := _users_model():
        return model
    model = start_model(processes, workdir)
    ready(f"SmolLM2-135M-Instruct, served by llama.cpp at {model.url}")
    return model


def ready(what: str) -> None:
    """Say that a part is up."""
    print(f"  ready: {what}", flush=True)


def _apply_crds(cluster: Cluster) -> None:
    crds = str(_ROOT / "crds")
    print("$ kubectl apply --server-side -f crds/", flush=True)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", crds)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", crds)


@contextlib.contextmanager
def demo_namespace(cluster: Cluster) -> Iterator[Cluster]:
    """A namespace for the samples; in a cluster that outlives us, it goes while the operator still runs."""
    cluster.kubectl("create", "namespace", _NAMESPACE)
    try:
        yield cluster.in_namespace(_NAMESPACE)
    finally:
        if not cluster.throwaway:
            cluster.kubectl("delete", "namespace", _NAMESPACE, "--timeout=60s", check=False, timeout=90)


def _evaluate(stack: Stack) -> None:
    """Apply the samples and watch them to their ends, deleting one on the way."""
    manifests = _samples(stack)
    names = [manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "NemoEvalJob"]
    print("$ kubectl apply -f deploy/samples", flush=True)
    stack.cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(manifests))
    deleted: str | None = None
    with open_view() as view:
        while True:
            stack.processes.check()
            jobs = {job["metadata"]["name"]: job for job in _get(stack.cluster, "nemoevaljobs")["items"]}
            view.show([JobRow.of(jobs[name]) if name in jobs else JobRow(name, "Deleted") for name in names])
            if deleted is None and _worth_deleting(jobs[_TO_DELETE]):
                deleted = _delete(stack, jobs[_TO_DELETE], view)
            kept = [jobs[name] for name in names if name != _TO_DELETE]
            if deleted and _TO_DELETE not in jobs and all(_phase(job) in _FINISHED for job in kept):
                break
            time.sleep(1)
    if failed := [job for job in kept if _phase(job) != "Succeeded"]:
        raise DemoError(
            "\n".join(f"{job['metadata']['name']}: {job['status'].get('message')}" for job in failed)
        )
    _check_cancelled(stack, deleted)


def _samples(stack: Stack) -> list[dict[str, Any]]:
    """The manifests as they are, but for the model where the user brings one."""
    manifests = [
        manifest
        for path in sorted(SAMPLES.glob("*.yaml"))
        for manifest in yaml.safe_load_all(path.read_text())
    ]
    for manifest in manifests:
        if stack.own_model and "model" in manifest["spec"]:
            manifest["spec"]["model"] = stack.model.model_id
    return manifests


def _phase(job: dict[str, Any]) -> str | None:
    phase: str | None = job.get("status", {}).get("phase")
    return phase


def _worth_deleting(job: dict[str, Any]) -> bool:
    """It is under way, and it has shown so."""
    progress = job.get("status", {}).get("progress") or {}
    return (_phase(job) == "Running" and (progress.get("samplesProcessed") or 0) > 0) or _phase(
        job
    ) in _FINISHED


def _delete(stack: Stack, job: dict[str, Any], view: View) -> str:
    if not (job_id := job["status"].get("jobId")):
        msg = f"{_TO_DELETE} ended without ever being submitted: {job['status'].get('message')}"
        raise DemoError(msg)
    view.say(f"$ kubectl delete nemoevaljob {_TO_DELETE}     # while it runs")
    stack.cluster.kubectl("delete", "nemoevaljob", _TO_DELETE, "--wait=false")
    return str(job_id)


def _check_cancelled(stack: Stack, job_id: str) -> None:
    url = f"{stack.evaluator_url}/v1/evaluation/jobs/{job_id}"
    print(f"$ curl {url}", flush=True)
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own evaluator
        job = json.load(response)
    details = job.get("status_details") or {}
    print(f"  status: {job['status']}, after {details.get('samples_processed')} samples", flush=True)
    # An endpoint of the user's may well be faster than we are.
    if job["status"] != "cancelled" and not (stack.own_model and job["status"] == "completed"):
        msg = f"{_TO_DELETE} was deleted, yet the evaluator says of its job {job_id}: {job['status']}"
        raise DemoError(msg)


def _report(stack: Stack) -> None:
    jobs = _get(stack.cluster, "nemoevaljobs")["items"]
    results = {job["metadata"]["name"]: _results(stack, job) for job in jobs}
    for name, document in results.items():
        print(f"\nSome of the answers in {name}:")
        for sample in _answers(document)[:_ANSWERS_SHOWN]:
            item = sample["item"]
            answer, expected = sample["output_text"].strip(), item["ideal_response"]
            print(f"  {item['question']} {answer!r}, expected {expected!r}")
    print("\nAll results, one JSON document a job:")
    for job in jobs:
        print(f"  {_results_command(job)}")
    print("\n$ kubectl get nemobenchmarks,nemoevaljobs")
    print(stack.cluster.kubectl("get", "nemobenchmarks,nemoevaljobs").stdout, flush=True)


def _results_command(job: dict[str, Any]) -> str:
    reference = job["status"]["resultsRef"]
    key = reference["key"].replace(".", r"\.")
    return f"kubectl get configmap {reference['configMap']} -o jsonpath='{{.data.{key}}}'"


def _results(stack: Stack, job: dict[str, Any]) -> dict[str, Any]:
    name, status = job["metadata"]["name"], job["status"]
    reference = status.get("resultsRef")
    if not status.get("scores") or not reference:
        msg = f"{name} has succeeded without scores or results"
        raise DemoError(msg)
    config_map = _get(stack.cluster, "configmap", reference["configMap"])
    document: dict[str, Any] = json.loads(config_map["data"][reference["key"]])
    return document


def _answers(document: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return [sample for task in document["tasks"].values() for sample in task["data"]["samples"]]


def _get(cluster: Cluster, *what: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(cluster.kubectl("get", *what, "-o", "json").stdout)
    return answer


def _keep(stack: Stack) -> NoReturn:
    """Wait for Ctrl-C; parts that end by themselves are reported, and the others stay up."""
    signal.alarm(0)
    kubectl = stack.cluster.kubectl_command
    print("Everything stays up until Ctrl-C. In another terminal:\n")
    print(f"  export KUBECONFIG={stack.cluster.kubeconfig}")
    if len(kubectl) > 1:
        print(f"  alias kubectl='{' '.join(kubectl)}'     # where none is installed")
    print(f"  export NVIDIA_EVALUATOR_URL={stack.evaluator_url}\n", flush=True)
    running = list(stack.processes)
    while True:
        for child in [child for child in running if child.ending()]:
            running.remove(child)
            print(
                f"{child.program.name} {child.ending()}; the other parts stay up until Ctrl-C. "
                f"The end of its log:\n{log_tail(child.program.log)}",
                flush=True,
            )
        time.sleep(1)


if __name__ == "__main__":
    try:
        sys.exit(main(_local_stack))
    except KeyboardInterrupt:  # a second one, while everything was being stopped
        sys.exit(130)
