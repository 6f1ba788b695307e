"""The objects of a run as their user sees them: applied in bulk, watched, and when each changed."""

import asyncio
import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

CONNECTIONS: Final = 16
GROUP: Final = "/apis/evaluator.nemo.dev/v1alpha1"

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE", "APPLY"})

_REQUEST = re.compile(
    r'apiserver_request_total\{[^}]*?resource="(?P<resource>[^"]*)"[^}]*?verb="(?P<verb>[A-Z]+)"'
    r"[^}]*\} (?P<count>\S+)"
)


def job_manifest(name: str) -> dict[str, Any]:
    check = ["{{item.output}}", "equals", "{{item.answer}}"]
    metrics = {"exact": {"type": "string-check", "params": {"check": check}}}
    config = {"type": "custom", "tasks": {"rows": {"type": "data", "metrics": metrics}}}
    rows = [{"question": "Capital of France?", "answer": "Paris", "output": "Paris"}]
    return {
        "apiVersion": "evaluator.nemo.dev/v1alpha1",
        "kind": "NemoEvalJob",
        "metadata": {"name": name},
        "spec": {"config": config, "target": {"type": "rows", "rows": rows}},
    }


@dataclass
class Seen:
    """Moments (Unix time) by object name."""

    applied: dict[str, float] = field(default_factory=dict)
    submitted: dict[str, float] = field(default_factory=dict)
    finished: dict[str, float] = field(default_factory=dict)
    job_ids: dict[str, str] = field(default_factory=dict)


class Objects:
    """NemoEvalJobs of one namespace."""

    def __init__(self, http: httpx.AsyncClient, namespace: str) -> None:
        self._http = http
        self._path = f"{GROUP}/namespaces/{namespace}/nemoevaljobs"
        self.seen = Seen()
        self._changed = asyncio.Event()

    async def apply(
        self, names: Iterable[str], manifest: Callable[[str], dict[str, Any]] = job_manifest
    ) -> None:
        """As fast as the API server takes them from so many connections."""
        waiting = iter(names)

        async def lane() -> None:
            for name in waiting:
                self.seen.applied[name] = time.time()
                answer = await self._http.post(self._path, json=manifest(name))
                answer.raise_for_status()

        async with asyncio.TaskGroup() as lanes:
            for _ in range(CONNECTIONS):
                lanes.create_task(lane())

    async def patch_status(self, names: Iterable[str], status: dict[str, Any]) -> None:
        waiting = iter(names)
        headers = {"Content-Type": "application/merge-patch+json"}

        async def lane() -> None:
            for name in waiting:
                answer = await self._http.patch(
                    f"{self._path}/{name}/status", content=json.dumps({"status": status}), headers=headers
                )
                answer.raise_for_status()

        async with asyncio.TaskGroup() as lanes:
            for _ in range(CONNECTIONS):
                lanes.create_task(lane())

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        listed = (await self._http.get(self._path, params={"limit": 1})).json()
        task = asyncio.create_task(self._watch(listed["metadata"]["resourceVersion"]))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self, version: str) -> None:
        while True:
            params = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
            timeout = httpx.Timeout(30, read=None)
            async with self._http.stream("GET", self._path, params=params, timeout=timeout) as response:
                if not response.is_success:
                    # A kind that is new is not served from the API server's cache yet.
                    await asyncio.sleep(1)
                    continue
                async for line in response.aiter_lines():
                    event = json.loads(line)
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] in {"ADDED", "MODIFIED"}:
                        self._note(event["object"])

    def _note(self, document: dict[str, Any]) -> None:
        name, status, now = document["metadata"]["name"], document.get("status", {}), time.time()
        if status.get("jobId") and name not in self.seen.submitted:
            self.seen.submitted[name] = now
            self.seen.job_ids[name] = status["jobId"]
        if status.get("completionTime"):
            self.seen.finished.setdefault(name, now)
        self._changed.set()

    async def until(self, reached: Callable[[Seen], bool], *, seconds: float) -> bool:
        """False where it was not reached in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not reached(self.seen):
                    self._changed.clear()
                    await self._changed.wait()
        return reached(self.seen)


async def api_requests(http: httpx.AsyncClient) -> Counter[tuple[str, str]]:
    """Requests that the API server has counted since its start, by resource and verb; leases are not ours."""
    text = (await http.get("/metrics")).text
    requests: Counter[tuple[str, str]] = Counter()
    for match in _REQUEST.finditer(text):
        if match["resource"] in {"nemoevaljobs", "nemobenchmarks", "events", "configmaps"}:
            requests[match["resource"], match["verb"]] += int(float(match["count"]))
    return requests


async def api_writes(http: httpx.AsyncClient) -> Counter[str]:
    """Every write that the API server has counted since its start, by resource."""
    writes: Counter[str] = Counter()
    for (resource, verb), count in (await api_requests(http)).items():
        if verb in WRITES:
            writes[resource] += count
    return writes
