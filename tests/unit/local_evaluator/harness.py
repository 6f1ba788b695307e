"""A local evaluator in the test's own event loop, spoken to over HTTP, and the model it evaluates."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from nemo_local_evaluator.app import create_app
from nemo_local_evaluator.settings import Settings

MODEL_URL = "http://model.test/v1"
TERMINAL = {"completed", "failed", "cancelled"}

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


def chat_reply(text: str | None) -> httpx.Response:
    reply = {"choices": [{"message": {"role": "assistant", "content": text}}]}
    return httpx.Response(200, content=json.dumps(reply))


async def echo(request: httpx.Request) -> httpx.Response:
    """A model that repeats the last message."""
    body = json.loads(request.content)
    if "messages" in body:
        return chat_reply(body["messages"][-1]["content"])
    return httpx.Response(200, json={"choices": [{"text": body["prompt"]}]})


@dataclass
class FakeModel:
    """Everything the evaluator reaches over the network; also serves remote datasets.

    gone.test does not exist; locked.test answers 401 to a request for its models, and busy.test times out.
    """

    answer: Answer = echo
    starts_after: int = 0
    """Connections that are refused first."""
    requests: list[httpx.Request] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "gone.test":
            raise httpx.ConnectError("no such host", request=request)
        if self.starts_after:
            self.starts_after -= 1
            raise httpx.ConnectError("connection refused", request=request)
        if request.url.path.endswith("/models"):
            if request.url.host == "busy.test":
                raise httpx.ReadTimeout("", request=request)
            locked = request.url.host == "locked.test"
            return httpx.Response(401 if locked else 200, json={"object": "list", "data": []})
        self.requests.append(request)
        return await self.answer(request)


@dataclass
class Evaluator:
    http: httpx.AsyncClient
    data: Path
    model: FakeModel

    async def create(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._json(201, "POST", f"/v1/evaluation/{kind}", **_as_json(body))

    async def get(self, path: str, **params: str | int) -> dict[str, Any]:
        return await self._json(200, "GET", f"/v1/evaluation/{path}", params=params or None)

    async def refused(self, status: int, method: str, path: str, body: object = None) -> Any:
        response = await self.http.request(method, f"/v1/evaluation/{path}", **_as_json(body))
        assert response.status_code == status, response.text
        return response.json()["detail"]

    async def finished(self, job_id: str) -> dict[str, Any]:
        return await self.reaches(job_id, *TERMINAL)

    async def reaches(self, job_id: str, *statuses: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                job = await self.get(f"jobs/{job_id}")
                if job["status"] in statuses:
                    return job
                await asyncio.sleep(0.005)

    async def run(
        self, config: Mapping[str, Any], target: Mapping[str, Any], *, skip_checks: bool = False
    ) -> dict[str, Any]:
        query = "?skip_validation_checks=True" if skip_checks else ""
        job = await self.create(f"jobs{query}", {"config": config, "target": target})
        return await self.finished(job["id"])

    async def scores(
        self, config: Mapping[str, Any], target: Mapping[str, Any], *, metric: str = "score"
    ) -> dict[str, Any]:
        """The scores of task `qa`."""
        job = await self.run(config, target)
        assert job["status"] == "completed", job["status_details"]
        result = await self.get(f"jobs/{job['id']}/results")
        scores: dict[str, Any] = result["tasks"]["qa"]["metrics"][metric]["scores"]
        return scores

    def dataset(self, name: str, content: object) -> dict[str, Any]:
        """Writes a dataset file; anything but text as JSON."""
        path = self.data / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return {"files_url": f"file://{name}"}

    async def _json(self, status: int, method: str, url: str, **arguments: Any) -> dict[str, Any]:
        response = await self.http.request(method, url, **arguments)
        assert response.status_code == status, response.text
        document: dict[str, Any] = response.json()
        return document


def _as_json(body: object) -> dict[str, Any]:
    """Not httpx's json=, which writes UTF-8: half a surrogate pair has to arrive as it is."""
    if body is None:
        return {}
    return {"content": json.dumps(body, allow_nan=False), "headers": {"Content-Type": "application/json"}}


@asynccontextmanager
async def evaluator(
    data: Path, model: FakeModel, *, workers: int = 2, **settings: Any
) -> AsyncIterator[Evaluator]:
    app = create_app(
        Settings(data=data, workers=workers, retry_base=0.001, **settings),
        transport=httpx.MockTransport(model),
    )
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://evaluator.test") as http,
    ):
        yield Evaluator(http, data, model)


def data_config(*metrics: Mapping[str, Any], **task: Any) -> dict[str, Any]:
    """A custom config whose task `qa` scores rows as they are; the first metric is called `score`."""
    metrics = metrics or (string_check("a", "equals", "a"),)
    names = ["score", *(f"score-{number}" for number in range(2, len(metrics) + 1))]
    qa = {"type": "data", "metrics": dict(zip(names, metrics, strict=False)), **task}
    return {"type": "custom", "tasks": {"qa": qa}}


def chat_config(dataset: Mapping[str, Any], *, template: object = None, **params: Any) -> dict[str, Any]:
    """A custom config whose task `qa` asks the model each row's question and wants the row's answer."""
    return {
        "type": "custom",
        "params": params,
        "tasks": {
            "qa": {
                "type": "chat-completion",
                "dataset": dataset,
                "params": {
                    "template": template or {"messages": [{"role": "user", "content": "{{item.question}}"}]}
                },
                "metrics": {"score": string_check("{{sample.output_text}}", "equals", "{{item.answer}}")},
            }
        },
    }


def string_check(left: object, operator: str, right: object) -> dict[str, Any]:
    return {"type": "string-check", "params": {"check": [left, operator, right]}}


def rows_target(*rows: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "rows", "rows": list(rows)}


def model_target(*, url: str = MODEL_URL, **endpoint: Any) -> dict[str, Any]:
    return {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": "tiny", **endpoint}}}
