"""Evaluations of type agentic: tool_call_accuracy by Ragas's definition, worked by hand."""

import json
from typing import Any

import pytest

from tests.unit.local_evaluator.harness import Evaluator, model_target, rows_target


def call(name: str, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args}


def conversation(called: list[dict[str, Any]], expected: list[dict[str, Any]]) -> dict[str, Any]:
    """As NeMo documents it; the agent's calls are spread over two of its messages."""
    return {
        "user_input": [
            {"content": "What's the weather like in New York?", "type": "human"},
            {"content": "Let me check that for you.", "type": "ai", "tool_calls": called[:1]},
            {"content": "It's 75°F and partly cloudy.", "type": "tool"},
            {"content": "And then?", "type": "human", "tool_calls": [call("not_the_agent")]},
            {"content": "", "type": "ai", "tool_calls": called[1:]},
            {"content": "Partly cloudy.", "type": "ai"},
        ],
        "reference_tool_calls": expected,
    }


def config(kind: str = "tool_call_accuracy", **task: Any) -> dict[str, Any]:
    return {"type": "agentic", "tasks": {"qa": {"type": kind, **task}}}


PARIS, ROME = call("weather", city="Paris", unit="C"), call("weather", city="Rome", unit="C")
BOOK = call("book", people=2)


@pytest.mark.parametrize(
    ("called", "expected", "score"),
    [
        ([PARIS, BOOK], [PARIS, BOOK], 1),
        ([BOOK, PARIS], [PARIS, BOOK], 0),
        ([PARIS], [PARIS, BOOK], 0),
        ([PARIS, BOOK], [PARIS], 1),
        ([PARIS, ROME, BOOK], [PARIS, BOOK], 1),
        ([PARIS, BOOK], [ROME, BOOK], (1 / 2 + 1) / 2),
        ([ROME, PARIS], [PARIS, ROME], 1),
        ([PARIS, PARIS], [PARIS, ROME], (1 + 1 / 2) / 2),
        ([call("book", people="2")], [BOOK], 1),
        ([call("book", people=2, date="today")], [BOOK], 1),
        ([call("book")], [BOOK], 0),
        ([call("now")], [call("now")], 1),
        ([call("now", zone="UTC")], [call("now")], 0),
        ([call("Weather", city="Paris", unit="C")], [PARIS], 0),
        ([], [PARIS], 0),
        ([PARIS], [], 0),
        ([], [], 1),
    ],
)
async def test_tool_call_accuracy(
    server: Evaluator, called: list[dict[str, Any]], expected: list[dict[str, Any]], score: float
) -> None:
    scores = await server.scores(
        config(), rows_target(conversation(called, expected)), metric="tool_call_accuracy"
    )
    assert scores["tool_call_accuracy"]["value"] == pytest.approx(score)


async def test_cached_outputs_are_json_lines_and_the_metric_has_its_own_name(server: Evaluator) -> None:
    rows = [conversation([PARIS], [PARIS]), conversation([PARIS], [ROME]), {"user_input": []}]
    dataset = server.dataset("outputs.jsonl", "\n".join(map(json.dumps, rows)))
    target = {"type": "cached_outputs", "cached_outputs": dataset}
    job = await server.run(config(metrics={"calls": {"type": "tool_call_accuracy"}}), target)
    assert job["status"] == "completed", job["status_details"]
    task = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]
    score = task["metrics"]["calls"]["scores"]["tool_call_accuracy"]
    assert score["value"] == pytest.approx(3 / 4)
    assert score["stats"]["nan_count"] == 1
    assert "item.reference_tool_calls: is required" in task["data"]["samples"][2]["error"]


@pytest.mark.parametrize(
    "kind",
    [
        "topic_adherence",
        "agent_goal_accuracy_with_reference",
        "agent_goal_accuracy_without_reference",
        "answer_accuracy",
        "trajectory",
    ],
)
async def test_what_needs_a_judge_is_taken_and_fails_saying_so(server: Evaluator, kind: str) -> None:
    job = await server.run(config(kind), rows_target(conversation([], [])))
    assert job["status"] == "failed"
    assert job["status_details"]["message"] == (
        f"task 'qa' has type {kind!r}, not supported here;"
        " supported is tool_call_accuracy, which needs no judge"
    )


async def test_a_model_holds_no_conversations(server: Evaluator) -> None:
    job = await server.run(config(), model_target())
    assert job["status"] == "failed"
    assert "give cached_outputs or a dataset" in job["status_details"]["message"]


async def test_another_metric_is_refused(server: Evaluator) -> None:
    job = {"config": config(metrics={"x": {"type": "bleu"}}), "target": rows_target(conversation([], []))}
    detail = await server.refused(400, "POST", "jobs", job)
    assert "metric 'x': type 'bleu' is unknown; known is tool_call_accuracy" in detail
