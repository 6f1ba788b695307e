"""What an end-to-end test sees: objects as kubectl shows them, and the evaluator's own list of jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import yaml

from testbed.cluster import Cluster

Found = TypeVar("Found")

JOB = "nemoevaljob"
BENCHMARK = "nemobenchmark"


def eventually(
    probe: Callable[[], Found | None],
    what: str,
    *,
    seconds: float = 40,
    every: float = 0.1,
    now: Callable[[], object] | None = None,
) -> Found:
    """The first true result of `probe`; fails after `seconds` with `what` and the state then.

    `now` reads the state; without it the state is the last result.
    """
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}; now: {now() if now else found!r}")
        time.sleep(every)
    return found


@dataclass(frozen=True)
class Scenario:
    """One namespace of a cluster in which an operator runs, and its evaluator."""

    cluster: Cluster
    namespace: str
    evaluator_url: str

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002
        result = self.cluster.kubectl("--namespace", self.namespace, *args, input=input, check=check)
        return result.stdout + (result.stderr if not check else "")

    def apply(self, *manifests: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(manifests))

    def patch(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(patch))

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        text = self.kubectl("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text else None

    def status(self, kind: str, name: str) -> dict[str, Any]:
        found = self.get(kind, name)
        return found.get("status", {}) if found else {}

    def finalizers(self, kind: str, name: str) -> list[str]:
        found = self.get(kind, name)
        assert found is not None, f"{kind} {name} is gone"
        finalizers: list[str] = found["metadata"].get("finalizers", [])
        return finalizers

    def reason(self, kind: str, name: str) -> str | None:
        conditions = self.status(kind, name).get("conditions", [])
        return conditions[0]["reason"] if conditions else None

    def until_phase(self, name: str, *phases: str, seconds: float = 40) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            status = self.status(JOB, name)
            return status if status.get("phase") in phases else None

        what = f"{name} in phase {' or '.join(phases)}"
        return eventually(reached, what, seconds=seconds, now=lambda: self.status(JOB, name))

    def until_reason(self, kind: str, name: str, reason: str, *, seconds: float = 40) -> dict[str, Any]:
        eventually(
            lambda: self.reason(kind, name) == reason,
            f"{kind} {name} with reason {reason}",
            seconds=seconds,
            now=lambda: self.status(kind, name),
        )
        return self.status(kind, name)

    def until_gone(self, kind: str, name: str, *, seconds: float = 40) -> None:
        eventually(lambda: self.get(kind, name) is None, f"{kind} {name} gone", seconds=seconds)

    def conditions(self, kind: str, name: str) -> dict[str, str]:
        return {
            condition["type"]: condition["status"]
            for condition in self.status(kind, name).get("conditions", [])
        }

    def event(self, name: str, reason: str) -> dict[str, Any]:
        """The one event of that reason; it is posted after the status it reports."""
        selector = f"involvedObject.name={name},reason={reason}"

        def posted() -> list[dict[str, Any]]:
            found = json.loads(self.kubectl("get", "events", "--field-selector", selector, "-o", "json"))
            items: list[dict[str, Any]] = found["items"]
            return items

        events = eventually(posted, f"event {reason} of {name}")
        assert len(events) == 1, f"{len(events)} events {reason} of {name}"
        return events[0]

    def results(self, name: str) -> dict[str, Any]:
        config_map = json.loads(self.kubectl("get", "configmap", f"{name}-results", "-o", "json"))
        document: dict[str, Any] = json.loads(config_map["data"]["results.json"])
        return document

    def remote_jobs(self, name: str | None = None) -> list[dict[str, Any]]:
        """The evaluator's jobs of this namespace (and of that object), as its own API lists them."""
        params = {"page_size": "1000", "filter[namespace]": self.namespace}
        jobs = httpx.get(f"{self.evaluator_url}/v1/evaluation/jobs", params=params, timeout=10).json()["data"]
        return [job for job in jobs if name is None or job["custom_fields"].get("k8s-name") == name]

    def remote_config(self, name: str) -> dict[str, Any] | None:
        url = f"{self.evaluator_url}/v1/evaluation/configs/{self.namespace}/{name}"
        answer = httpx.get(url, timeout=10)
        return answer.json() if answer.is_success else None


def benchmark(name: str = "qa", **spec: Any) -> dict[str, Any]:
    """A benchmark whose one task asks a chat model and compares with the reference."""
    config = {
        "type": "custom",
        "params": {"parallelism": 2},
        "tasks": {
            "qa": {
                "type": "chat-completion",
                "params": {"template": {"messages": [{"role": "user", "content": "{{item.question}}"}]}},
                "metrics": {
                    "exact": {
                        "type": "string-check",
                        "params": {"check": ["{{sample.output_text}}", "equals", "{{item.answer}}"]},
                    }
                },
                "dataset": {"files_url": "file://questions.jsonl"},
            }
        },
    }
    return _manifest("NemoBenchmark", name, {"config": config, **spec})


def data_benchmark(name: str = "rows", **spec: Any) -> dict[str, Any]:
    """A benchmark that needs no model: the rows bring their outputs along."""
    check = ["{{item.output}}", "equals", "{{item.answer}}"]
    metrics = {"exact": {"type": "string-check", "params": {"check": check}}}
    config = {"type": "custom", "tasks": {"rows": {"type": "data", "metrics": metrics}}}
    return _manifest("NemoBenchmark", name, {"config": config, **spec})


ROWS = [
    {"question": "Capital of France?", "answer": "Paris", "output": "Paris"},
    {"question": "Capital of Italy?", "answer": "Rome", "output": "Milan"},
]


def data_job(name: str, *, of: str = "rows", **spec: Any) -> dict[str, Any]:
    target = {"type": "rows", "rows": ROWS}
    return _manifest("NemoEvalJob", name, {"benchmarkRef": {"name": of}, "target": target, **spec})


def model_job(name: str, *, of: str = "qa", model: str = "parrot", **spec: Any) -> dict[str, Any]:
    return _manifest("NemoEvalJob", name, {"benchmarkRef": {"name": of}, "model": model, **spec})


def connection(name: str, url: str, **spec: Any) -> dict[str, Any]:
    return _manifest("NemoEvaluatorConnection", name, {"url": url, **spec})


def _manifest(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "evaluator.nemo.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }
