"""An evaluator that cannot keep a secret: each answer, good or bad, repeats all that it ever received."""

from __future__ import annotations

import json
from typing import Any, Final

from typing_extensions import override

from tests.e2e.loopback import LoopbackServer, QuietHandler

Reply = tuple[int, object]

TIME: Final = "2025-07-08T19:40:19.984771"


class EchoingEvaluator(LoopbackServer):
    """The v1 API as far as the operator uses it. The model's name says what becomes of a job."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.configs: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        super().__init__()

    @override
    def release(self) -> None:
        pass

    @property
    def received_text(self) -> str:
        return " ".join(self.received)

    def answer(self, method: str, path: str, body: Any) -> Reply:
        match method, path.removeprefix("/v1/evaluation/").split("/"):
            case "POST", ["configs"]:
                return 201, self._keep_config(f"{body['namespace']}/{body['name']}", body)
            case "PATCH", ["configs", namespace, name]:
                return 200, self._keep_config(f"{namespace}/{name}", body)
            case "GET", ["configs", namespace, name] if f"{namespace}/{name}" in self.configs:
                return 200, self.configs[f"{namespace}/{name}"]
            case "POST", ["jobs"]:
                return self._submit(body)
            case "GET", ["jobs"]:
                return 200, {"data": list(self.jobs.values())}
            case "GET", ["jobs", job_id] if job_id in self.jobs:
                return 200, self._look(self.jobs[job_id])
            case "GET", ["jobs", job_id, "results"]:
                return self._results(self.jobs[job_id])
            case "DELETE", _:
                return 200, {"message": self.received_text}
            case _:
                return 404, {"detail": self.received_text}

    def _keep_config(self, name: str, config: dict[str, Any]) -> dict[str, Any]:
        # Under keys of its own making too: what differs from the spec is named in the status.
        extra = {**config.get("params", {}).get("extra", {}), self.received_text: self.received_text}
        kept = {**config, "params": {**config.get("params", {}), "extra": extra}}
        self.configs[name] = {**kept, "id": "eval-config-1", "description": self.received_text}
        return self.configs[name]

    def _submit(self, body: dict[str, Any]) -> Reply:
        fate = body["target"]["model"]["api_endpoint"]["model_id"]
        match fate:
            case "refused":
                return 422, {"detail": [{"loc": ["body", self.received_text], "msg": self.received_text}]}
            case "broken":
                return 500, f"<html>Traceback: {self.received_text}</html>"
            case "unauthorized":
                return 401, {"detail": self.received_text}
            case "malformed":
                return 201, {"id": {self.received_text: self.received_text}}
            case _:
                return 201, self._take(body)

    def _take(self, body: dict[str, Any]) -> dict[str, Any]:
        job = {"id": f"eval-{len(self.jobs)}", "status": "running", "created_at": TIME, **body}
        self.jobs[job["id"]] = job
        return job

    def _look(self, job: dict[str, Any]) -> dict[str, Any]:
        failed = job["target"]["model"]["api_endpoint"]["model_id"] == "failing"
        details = {"message": f"model says: {self.received_text}", "progress": 100.0}
        return {**job, "status": "failed" if failed else "completed", "status_details": details}

    def _results(self, job: dict[str, Any]) -> Reply:
        if job["target"]["model"]["api_endpoint"]["model_id"] == "unreadable":
            return 200, {"job": self.received_text, "tasks": self.received_text}
        fate = job["target"]["model"]["api_endpoint"]["model_id"]
        name = self.received_text if fate == "named" else "em"
        scores = {"scores": {name: {"value": 0.5}}}
        task = {"metrics": {name: scores}, "data": {"samples": [{"output_text": self.received_text}]}}
        return 200, {"job": job["id"], "tasks": {name: task}, "groups": {}}

    @override
    def handler(self) -> type[QuietHandler]:
        echoing_evaluator = self

        class Handler(QuietHandler):
            def answer_request(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                echoing_evaluator.received += [sent.decode()] if sent else []
                path = self.path.partition("?")[0]
                code, answer = echoing_evaluator.answer(
                    self.command, path, json.loads(sent) if sent else None
                )
                body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_DELETE = answer_request  # noqa: N815 - http.server's names

        return Handler
