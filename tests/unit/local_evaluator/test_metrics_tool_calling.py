"""tool-calling: which calls count as the same, and where they come from."""

import json
from typing import Any

import httpx
import pytest

from tests.unit.local_evaluator.harness import Evaluator, chat_config, data_config, model_target, rows_target

METRIC = {
    "type": "tool-calling",
    "params": {"tool_calls_ground_truth": "{{ item.tool_calls | tojson }}"},
}


def call(name: str, arguments: object) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def response(calls: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": calls}}]}


PARIS = call("weather", {"city": "Paris", "days": 2})
PARIS_SAID = call("weather", '{"days": 2, "city": "Paris"}')
ROME = call("weather", {"city": "Rome"})
ROME_SAID = call("weather", '{"city": "Rome"}')
TIME = call("time", {})
TIME_SAID = call("time", "{}")


@pytest.mark.parametrize(
    ("expected", "called", "name", "name_and_args"),
    [
        ([PARIS], [PARIS_SAID], 1, 1),
        ([PARIS], [ROME_SAID], 1, 0),
        ([PARIS], [TIME_SAID], 0, 0),
        ([PARIS], [call("Weather", '{"days": 2, "city": "Paris"}')], 0, 0),
        ([PARIS], [call("weather", '{"days": 2, "city": "paris"}')], 1, 0),
        ([PARIS, TIME], [TIME_SAID, PARIS_SAID], 1, 1),
        ([PARIS, ROME], [ROME_SAID, PARIS_SAID], 1, 1),
        ([PARIS, ROME], [ROME_SAID, ROME_SAID], 1, 0),
        ([PARIS, ROME], [PARIS_SAID], 0, 0),
        ([PARIS], [PARIS_SAID, TIME_SAID], 0, 0),
        ([call("f", {"x": 1})], [call("f", '{"x": true}')], 1, 0),
        ([call("f", {"x": [1, {"y": None}]})], [call("f", '{"x": [1.0, {"y": null}]}')], 1, 1),
        ([PARIS], None, 0, 0),
        ([], None, 1, 1),
        ([TIME], [call("time", None)], 1, 1),
        ([PARIS_SAID], [PARIS_SAID], 1, 1),
        ([PARIS], [call("weather", "{city: Paris")], 1, None),
    ],
)
async def test_calls_are_compared_in_any_order(
    server: Evaluator,
    expected: list[dict[str, Any]],
    called: list[dict[str, Any]] | None,
    name: float,
    name_and_args: float | None,
) -> None:
    target = rows_target({"tool_calls": expected, "response": response(called)})
    scores = await server.scores(data_config(METRIC), target)
    assert scores["function_name_accuracy"]["value"] == name
    if name_and_args is None:
        assert "function_name_and_args_accuracy" not in scores
    else:
        assert scores["function_name_and_args_accuracy"]["value"] == name_and_args


async def test_a_model_s_calls_are_compared(server: Evaluator) -> None:
    """The config of NeMo's tool-calling notebook."""

    async def call_a_tool(request: httpx.Request) -> httpx.Response:
        paris = "Paris" in json.loads(request.content)["messages"][0]["content"]
        return httpx.Response(200, json=response([PARIS_SAID if paris else ROME_SAID]))

    server.model.answer = call_a_tool
    tools = [{"type": "function", "function": {"name": "weather"}}]
    rows = [
        {"messages": [{"role": "user", "content": f"{city}?"}], "tools": tools, "tool_calls": [PARIS]}
        for city in ("Paris", "Rome")
    ]
    template = {
        "messages": "{{ item.messages | tojson }}",
        "tools": "{{ item.tools | tojson }}",
        "tool_choice": "auto",
    }
    config = chat_config(server.dataset("calls.json", rows), template=template)
    config["tasks"]["qa"]["metrics"] = {"tool-calling-accuracy": METRIC}
    scores = await server.scores(config, model_target(), metric="tool-calling-accuracy")
    assert scores["function_name_accuracy"]["value"] == 1
    assert scores["function_name_and_args_accuracy"]["value"] == 0.5
    assert scores["function_name_and_args_accuracy"]["stats"]["count"] == 2


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ({"tool_calls": [PARIS]}, "there is no response with tool calls"),
        ({"tool_calls": [PARIS], "response": {"text": ""}}, "response.choices: is required"),
        (
            {"tool_calls": [{"name": "weather"}], "response": response([])},
            "tool_calls_ground_truth.0.function",
        ),
        ({"response": response([])}, "'tool_calls'"),
        (
            {"tool_calls": [PARIS], "response": response([call("weather", "{")])},
            "arguments of 'weather' are no JSON object: '{'",
        ),
    ],
)
async def test_what_cannot_be_compared_is_explained(
    server: Evaluator, row: dict[str, Any], cause: str
) -> None:
    good = {"tool_calls": [PARIS], "response": response([PARIS_SAID])}
    job = await server.run(data_config(METRIC), rows_target(row, good))
    task = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]
    scores = task["metrics"]["score"]["scores"]
    assert scores["function_name_and_args_accuracy"]["stats"]["nan_count"] == 1
    assert cause in task["data"]["samples"][0]["error"]


async def test_a_judge_s_model_among_the_params_is_let_be(server: Evaluator) -> None:
    """Some of NVIDIA's own configs have it there."""
    model = {"api_endpoint": {"url": "http://gone.test/v1", "model_id": "judge", "api_key": "s3cret"}}
    metric = {"type": "tool-calling", "params": METRIC["params"] | {"model": model}}  # type: ignore[operator]
    target = rows_target({"tool_calls": [PARIS], "response": response([PARIS_SAID])})
    assert (await server.scores(data_config(metric), target))["function_name_accuracy"]["value"] == 1


@pytest.mark.parametrize("source", ["{{ item.tool_calls }}", "{{ item.written }}"])
async def test_expected_calls_may_be_a_value_or_written_json(server: Evaluator, source: str) -> None:
    metric = {"type": "tool-calling", "params": {"tool_calls_ground_truth": source}}
    row = {"tool_calls": [PARIS], "written": json.dumps([PARIS]), "response": response([PARIS_SAID])}
    scores = await server.scores(data_config(metric), rows_target(row))
    assert scores["function_name_and_args_accuracy"]["value"] == 1
