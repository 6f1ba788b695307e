"""An evaluator that evaluates nothing: NeMo's v1 API in memory, cheap enough never to be the bottleneck.

Jobs run until `POST /bench/finish` says that they are completed, or for a number of seconds. It keeps a
ledger of what it was asked, by which duplicates would show. Started as
`python -m bench.scale.load_evaluator PORT [SECONDS]`.
"""

import asyncio
import itertools
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

import uvicorn

CONFIGS: Final = "/v1/evaluation/configs"
JOBS: Final = "/v1/evaluation/jobs"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Job:
    id: str
    created_at: str
    head: str
    """The document's JSON without status and closing brace: it is served often and never changes."""
    mark: tuple[str, str]
    """The key of an attempt: the object's uid (or name) and the number of the attempt."""
    created: float = field(default_factory=time.time)
    finished: float | None = None
    status: str = "running"

    def json(self) -> str:
        details = (
            '{"message":null,"task_status":{},"progress":'
            + ("100.0" if self.status == "completed" else "0.0")
            + ',"samples_processed":0}'
        )
        return f'{self.head},"status":"{self.status}","status_details":{details}}}'


@dataclass
class Ledger:
    """Everything that was asked of the evaluator since the last reset, and every job since the start."""

    job_seconds: float | None = None
    """How long each job runs; None: until `finish`."""
    jobs: dict[str, Job] = field(default_factory=dict)
    by_status: defaultdict[str, dict[str, Job]] = field(default_factory=lambda: defaultdict(dict))
    configs: dict[str, str] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)

    def add(self, body: dict[str, Any]) -> Job:
        number = len(self.jobs) + 1
        job_id = f"eval-{number:022d}"
        created_at = _now()
        fields = body.get("custom_fields") or {}
        document = {
            **body,
            "id": job_id,
            "created_at": created_at,
            "updated_at": created_at,
            "config": _snapshot(body.get("config")),
            "target": _snapshot(body.get("target")),
            "custom_fields": fields,
        }
        mark = (fields.get("k8s-uid", job_id), fields.get("k8s-attempt", "1"))
        job = Job(job_id, created_at, json.dumps(document)[:-1], mark)
        self.jobs[job_id] = self.by_status["running"][job_id] = job
        return job

    def move(self, job: Job, status: str) -> None:
        self.by_status[job.status].pop(job.id, None)
        job.status = status
        self.by_status[status][job.id] = job

    def finish(self, count: int) -> dict[str, float]:
        """The oldest running jobs are completed; when each was, by its id."""
        now = time.time()
        chosen = list(itertools.islice(self.by_status["running"].values(), count))
        for job in chosen:
            job.finished = now
            self.move(job, "completed")
        return {job.id: now for job in chosen}

    def finish_due(self) -> None:
        """Complete the jobs that have run for `job_seconds`; those that run are in the order of creation."""
        if self.job_seconds is None:
            return
        now = time.time()
        running = self.by_status["running"]
        while running and (job := next(iter(running.values()))).created + self.job_seconds <= now:
            job.finished = job.created + self.job_seconds
            self.move(job, "completed")

    def duplicates(self) -> int:
        return len(self.jobs) - len({job.mark for job in self.jobs.values()})

    def page(self, query: dict[str, list[str]]) -> str:
        number, size = int(query.get("page", ["1"])[0]), int(query.get("page_size", ["10"])[0])
        status = query.get("filter[status]", [None])[0]
        since = query.get("filter[created_at][gte]", [""])[0]
        jobs = self.jobs if status is None else self.by_status[status]
        newest_first: Iterator[Job] = reversed(jobs.values())
        if since:
            newest_first = itertools.takewhile(lambda job: job.created_at >= since, newest_first)
        if status is not None:
            newest_first = iter(sorted(newest_first, key=lambda job: job.id, reverse=True))
        found = [job.json() for job in itertools.islice(newest_first, (number - 1) * size, number * size)]
        total = len(jobs) if not since else (number - 1) * size + len(found)
        pages = -(-total // size) if not since else number + (len(found) == size)
        pagination = json.dumps(
            {
                "page": number,
                "page_size": size,
                "current_page_size": len(found),
                "total_pages": pages,
                "total_results": total,
            }
        )
        return (
            f'{{"object":"list","data":[{",".join(found)}],"pagination":{pagination},'
            '"sort":"-created_at","filter":{},"search":{}}'
        )


class LoadEvaluator:
    """The ASGI application."""

    def __init__(self, job_seconds: float | None = None) -> None:
        self.ledger = Ledger(job_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _lifespan(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = parse_qs(scope["query_string"].decode())
        code, answer = self.answer(scope["method"], scope["path"], query, body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, bytes]:
        self.ledger.finish_due()
        if path.startswith("/bench/"):
            return self._bench(path.removeprefix("/bench/"), query)
        if path.startswith(CONFIGS):
            self.ledger.requests[f"{method} configs"] += 1
            return self._configs(method, path.removeprefix(CONFIGS).strip("/"), body)
        if path.startswith(JOBS):
            return self._jobs(method, path.removeprefix(JOBS).strip("/"), query, body)
        return (200, b'{"status":"healthy"}') if path == "/health" else _missing(path)

    def _bench(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        ledger = self.ledger
        if path == "finish":
            return 200, json.dumps(ledger.finish(int(query["count"][0]))).encode()
        if path == "finished":
            return 200, json.dumps({job.id: job.finished for job in ledger.jobs.values()}).encode()
        if path == "reset":
            ledger.requests.clear()
        report = {
            "jobs": len(ledger.jobs),
            "duplicates": ledger.duplicates(),
            "requests": dict(ledger.requests),
        }
        return 200, json.dumps(report).encode()

    def _configs(self, method: str, name: str, body: bytes) -> tuple[int, bytes]:
        configs = self.ledger.configs
        if method == "POST":
            document = {"created_at": _now(), "updated_at": _now(), **json.loads(body)}
            document["id"] = f"eval-config-{len(configs) + 1:022d}"
            text = configs[f"{document['namespace']}/{document['name']}"] = json.dumps(document)
            return 201, text.encode()
        if name not in configs:
            return _missing(f"config {name}")
        if method == "DELETE":
            del configs[name]
            return 200, b'{"message":"Resource deleted successfully."}'
        if method == "PATCH":
            configs[name] = json.dumps({**json.loads(configs[name]), **json.loads(body)})
        return 200, configs[name].encode()

    def _jobs(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, bytes]:
        ledger = self.ledger
        job_id, _, action = path.partition("/")
        ledger.requests[f"{method} {'job' if job_id else 'jobs'}{'/' + action if action else ''}"] += 1
        if not job_id:
            if method == "POST":
                return 201, ledger.add(json.loads(body)).json().encode()
            return 200, ledger.page(query).encode()
        job = ledger.jobs.get(job_id)
        if job is None:
            return _missing(f"job {job_id}")
        if action == "results":
            return 200, _results(job).encode()
        if action == "cancel" and job.status == "running":
            ledger.move(job, "cancelled")
        elif method == "DELETE":
            ledger.move(job, "deleted")
        return 200, job.json().encode()


def _snapshot(part: Any) -> Any:
    if isinstance(part, str):
        namespace, _, name = part.partition("/")
        return {"namespace": namespace, "name": name, "id": f"eval-config-{name}", "type": "custom"}
    return part


def _results(job: Job) -> str:
    score = {"value": 0.5, "stats": {"count": 2, "sum": 1.0, "mean": 0.5}}
    tasks = {"qa": {"metrics": {"exact": {"scores": {"string-check": score}}}}}
    return json.dumps(
        {
            "id": f"evaluation_result-{job.id}",
            "job": job.id,
            "tasks": tasks,
            "groups": {},
            "created_at": _now(),
        }
    )


def _missing(what: str) -> tuple[int, bytes]:
    return 404, json.dumps({"detail": f"{what} not found"}).encode()


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{kind}.complete"})
        if kind == "shutdown":
            return


if __name__ == "__main__":
    application = LoadEvaluator(float(sys.argv[2]) if len(sys.argv) > 2 else None)
    config = uvicorn.Config(application, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
    asyncio.run(uvicorn.Server(config).serve())
