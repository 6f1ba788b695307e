"""A poller before an evaluator with many jobs, whose requests are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle.job import JobSnapshot
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import CircuitBreaker, JobTracker
from nemo_eval_operator.sessions.poller import Poller
from nemo_eval_operator.workqueue import WorkQueue

JOBS = "/v1/evaluation/jobs"
RUNNING = JobSnapshot("active", None)
NOW = datetime.now(UTC)

FEW, MANY = 5, 50


def key(name: str) -> ObjectKey:
    return ObjectKey("nemoevaljobs", "team-a", name)


@dataclass
class Evaluator:
    """Jobs by id; the fields say in what it is unlike NVIDIA's."""

    applies_filters: bool = True
    largest_page: int = 1000
    padding: str = ""
    answers: bool = True
    down: bool = False
    """Whether a gateway answers everything in its place."""
    silent: bool = False
    """Whether it lists jobs, and says nothing of one."""
    broken: set[str] = field(default_factory=set)
    """Ids of jobs that it fails to tell of."""
    late: set[str] = field(default_factory=set)
    """Ids of jobs that end between its look for those of a state and its answer."""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    gets: list[str] = field(default_factory=list)
    lists: list[httpx.QueryParams] = field(default_factory=list)

    def add(self, name: str, status: str = "running", *, created: datetime = NOW) -> None:
        time = created.replace(tzinfo=None).isoformat()
        details = {"padding": self.padding}
        self.jobs[name] = {"id": name, "status": status, "created_at": time, "custom_fields": details}

    def forget_requests(self) -> None:
        self.gets, self.lists = [], []

    def respond(self, request: httpx.Request) -> httpx.Response:
        if not self.answers:
            raise httpx.ConnectError("refused")
        if self.down:
            return httpx.Response(503, text="<html>nobody is at home</html>")
        job_id = request.url.path.removeprefix(JOBS).strip("/")
        if not job_id:
            self.lists.append(request.url.params)
            return self._page(request.url.params)
        self.gets.append(job_id)
        if self.silent:
            raise httpx.ReadTimeout("timed out")
        if job_id in self.broken:
            return httpx.Response(500, json={"detail": "this one is broken"})
        if job_id not in self.jobs:
            return httpx.Response(404, json={"detail": "no such job"})
        return httpx.Response(200, json=self.jobs[job_id])

    def _page(self, params: httpx.QueryParams) -> httpx.Response:
        size, number = int(params["page_size"]), int(params["page"])
        if size > self.largest_page:
            return httpx.Response(422, json={"detail": "page_size: too large"})
        found = list(self._matching(params))
        pages = {"page": number, "page_size": size, "total_pages": -(-len(found) // size)}
        return httpx.Response(
            200, json={"data": found[(number - 1) * size : number * size], "pagination": pages}
        )

    def _matching(self, params: httpx.QueryParams) -> Iterator[dict[str, Any]]:
        for job in self.jobs.values():
            if self.applies_filters and job["status"] != params.get("filter[status]", job["status"]):
                continue
            if self.applies_filters and job["created_at"] < params.get("filter[created_at][gte]", ""):
                continue
            yield job | ({"status": "completed"} if job["id"] in self.late else {})


class Stage:
    """A poller whose jobs are due at every sweep."""

    def __init__(
        self, evaluator: Evaluator, *, fallback: float = 600, heartbeat: Heartbeat | None = None
    ) -> None:
        self.evaluator = evaluator
        transport = httpx.MockTransport(evaluator.respond)
        client = EvaluatorClient(httpx.AsyncClient(base_url="http://evaluator.test", transport=transport))
        self.queue, self.tracker, self.client = WorkQueue(), JobTracker(), client
        breaker = CircuitBreaker(client, self.queue, self.tracker, Heartbeat(60))
        self.poller = Poller(
            evaluator=client,
            tracker=self.tracker,
            queue=self.queue,
            breaker=breaker,
            interval=10,
            heartbeat=heartbeat or Heartbeat(60),
            metrics=Metrics(),
            fallback=fallback,
        )

    def follow(self, name: str, *, since: datetime = NOW, every: float = 0.0) -> None:
        self.tracker.follow(key(name), name, RUNNING, since=since, every=every)

    async def poll(self) -> Evaluator:
        """One sweep; the evaluator has only its requests."""
        self.evaluator.forget_requests()
        await self.poller.poll()
        return self.evaluator

    def wait(self, name: str) -> float:
        """Seconds until the next look at it."""
        (due,) = (followed.due for followed in self.tracker if followed.job_id == name)
        return due - asyncio.get_running_loop().time()

    def news(self) -> list[str]:
        """Names of the jobs that a worker is to look at."""
        return [followed.name for followed in self.tracker.tracked_keys() if self.queue.holds(followed)]


def stage(
    count: int,
    evaluator: Evaluator | None = None,
    *,
    fallback: float = 600,
    heartbeat: Heartbeat | None = None,
) -> Stage:
    made = Stage(evaluator or Evaluator(), fallback=fallback, heartbeat=heartbeat)
    for number in range(count):
        made.evaluator.add(f"eval-{number}")
        made.follow(f"eval-{number}")
    return made
