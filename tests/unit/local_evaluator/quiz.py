"""A quiz of six questions that a model answers, and the samples of its result."""

from __future__ import annotations

from typing import Any

from tests.unit.local_evaluator.harness import Evaluator, chat_config

ROWS = [{"question": f"q{number}", "answer": f"q{number}"} for number in range(6)]


def quiz(server: Evaluator, **options: Any) -> dict[str, Any]:
    return chat_config(server.dataset("quiz.json", ROWS), **options)


async def samples(server: Evaluator, job: dict[str, Any]) -> list[dict[str, Any]]:
    result = await server.get(f"jobs/{job['id']}/results")
    kept: list[dict[str, Any]] = result["tasks"]["qa"]["data"]["samples"]
    return kept
