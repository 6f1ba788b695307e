"""Answers as they are on record from real servers (25.06), and one call of every method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nemo_eval_operator.evaluator.http import EvaluatorClient

JOB: dict[str, Any] = {
    "created_at": "2025-07-08T19:40:19.984771",
    "updated_at": "2025-07-08T19:40:19.984774",
    "id": "eval-WF5xprkaQpjTNZLpsNb1Y1",
    "namespace": "team-a",
    "description": None,
    "target": {"type": "model", "model": {"api_endpoint": {"url": "http://nim.test", "api_key": "******"}}},
    "config": {"type": "gsm8k", "params": {"extra": {"hf_token": "******"}}, "tasks": None},
    "result": None,
    "output_files_url": None,
    "status_details": {"message": None, "task_status": {}, "progress": None},
    "status": "created",
    "project": None,
    "custom_fields": {},
    "ownership": None,
}

CONFIG: dict[str, Any] = {
    "created_at": "2025-07-08T19:39:55.734565",
    "updated_at": "2025-07-08T19:39:55.734568",
    "name": "gsm8k-chat",
    "namespace": "team-a",
    "type": "gsm8k",
    "params": {"max_tokens": 256, "temperature": 1e-05, "extra": {"hf_token": "******"}},
    "id": "eval-config-6pTREGQfYHFQzq7oWHATgt",
    "custom_fields": {"k8s-uid": "u-1"},
}

RESULTS: dict[str, Any] = {
    "created_at": "2025-07-08T19:40:20.019000",
    "id": "evaluation_result-4jG",
    "job": "eval-T2s",
    "tasks": {"qa": {"metrics": {"em": {"scores": {"em": {"value": 0.15, "stats": {"count": 20}}}}}}},
    "groups": {},
    "namespace": "default",
    "custom_fields": {},
}

DELETED: dict[str, Any] = {
    "message": "Resource deleted successfully.",
    "id": "eval-config-1",
    "deleted_at": None,
}

Call = Callable[[EvaluatorClient], Awaitable[object]]


async def _first_page(client: EvaluatorClient) -> list[str]:
    return [job.id async for job in client.list_jobs()]


CALLS: dict[str, Call] = {
    "create_config": lambda client: client.create_config({"type": "gsm8k"}),
    "get_config": lambda client: client.get_config("team-a", "qa"),
    "update_config": lambda client: client.update_config("team-a", "qa", {"type": "gsm8k"}),
    "delete_config": lambda client: client.delete_config("team-a", "qa"),
    "create_job": lambda client: client.create_job({"config": "team-a/qa"}),
    "get_job": lambda client: client.get_job("eval-1"),
    "check": lambda client: client.check(),
    "cancel_job": lambda client: client.cancel_job("eval-1"),
    "delete_job": lambda client: client.delete_job("eval-1"),
    "get_results": lambda client: client.get_results("eval-1"),
    "list_jobs": _first_page,
}
"""Every method, by its name."""

READING = (
    "create_config",
    "get_config",
    "update_config",
    "create_job",
    "get_job",
    "get_results",
    "list_jobs",
)
"""The methods that need something in the answer."""
