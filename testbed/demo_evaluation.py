"""The demo's evaluation: applies deploy/samples, deletes one job while it runs, and shows the results."""

import json
import time
import urllib.request
from collections.abc import Sequence
from typing import Any, Final

import yaml

from testbed.cluster import Cluster
from testbed.demo_stack import SAMPLES, DemoError, Stack
from testbed.demo_view import JobRow, View, open_view

__all__ = ["evaluate", "report"]

# The job of deploy/samples that takes long enough to be deleted while it runs.
_TO_DELETE: Final = "long-answers-smollm2"
_KEY_HOLDER: Final = "demo-model"
_FINISHED: Final = {"Succeeded", "Failed", "Cancelled"}
_ANSWERS_SHOWN: Final = 4


def evaluate(stack: Stack) -> None:
    """Apply the samples and watch them until they end; delete one while it runs.

    Raises DemoError if a job does not end as it should.
    """
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
            if deleted and _TO_DELETE not in jobs and all(map(_has_ended, kept)):
                break
            time.sleep(1)
    if failed := [job for job in kept if _phase(job) != "Succeeded"]:
        raise DemoError(
            "\n".join(f"{job['metadata']['name']}: {job['status'].get('message')}" for job in failed)
        )
    _check_cancelled(stack, deleted)


def _samples(stack: Stack) -> list[dict[str, Any]]:
    """Return the manifests as they are, except for endpoint and name of the model."""
    manifests = [
        manifest
        for path in sorted(SAMPLES.glob("*.yaml"))
        for manifest in yaml.safe_load_all(path.read_text())
    ]
    for manifest in manifests:
        if stack.own_model and "model" in manifest["spec"]:
            manifest["spec"]["model"] = stack.model.model_id
        match manifest["spec"]:
            case {"target": {"model": {"api_endpoint": dict(endpoint)}}}:
                endpoint |= {"url": stack.model.url, "model_id": stack.model.model_id}
                manifest["spec"] |= _with_key(stack.model.api_key)
            case _:
                pass
    if stack.model.api_key is not None:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": _KEY_HOLDER}}
        manifests.append(secret | {"stringData": {"key": stack.model.api_key}})
    return manifests


def _with_key(api_key: str | None) -> dict[str, Any]:
    """Return the fields by which a job reads the key of the user's model from the demo's Secret."""
    if api_key is None:
        return {}
    source = {"name": _KEY_HOLDER, "key": "key"}
    return {"valuesFrom": [{"secretKeyRef": source, "targetPath": "target.model.api_endpoint.api_key"}]}


def _phase(job: dict[str, Any]) -> str | None:
    phase: str | None = job.get("status", {}).get("phase")
    return phase


def _has_ended(job: dict[str, Any]) -> bool:
    """Return whether nothing more is going to happen: a run with a gate is also judged."""
    if _phase(job) == "Succeeded" and "gate" in job["spec"]:
        return _verdict(job) != "Pending"
    return _phase(job) in _FINISHED


def _verdict(job: dict[str, Any]) -> str:
    return str(job["status"].get("gate", {}).get("verdict", "Pending"))


def _worth_deleting(job: dict[str, Any]) -> bool:
    """Return whether the job has started and reported progress."""
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


def report(stack: Stack) -> None:
    """Print some answers, how to read the results, the verdicts, and what kubectl shows."""
    jobs = _get(stack.cluster, "nemoevaljobs")["items"]
    results = {job["metadata"]["name"]: _results(stack, job) for job in jobs}
    for name, document in results.items():
        print(f"\nSome of the answers in {name}:")
        for sample in _answers(document)[:_ANSWERS_SHOWN]:
            item = sample["item"]
            answer, expected = (sample["output_text"] or "").strip(), item["ideal_response"]
            print(f"  {item['question']} {answer!r}, expected {expected!r}")
    print("\nAll results, one JSON document a job:")
    for job in jobs:
        print(f"  {_results_command(job)}")
    print("\nVerdicts of the gates:")
    for job in jobs:
        if "gate" in job["spec"]:
            print(f"  {job['metadata']['name']}: {job['status']['message']}")
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
