"""`model.prompt` of a target and of a judge: what reaches the endpoint, and what is left of its answer."""

from typing import Any

import httpx
import pytest

from tests.unit.local_evaluator.harness import (
    Evaluator,
    chat_config,
    chat_reply,
    data_config,
    model_target,
    rows_target,
    string_check,
)

THOUGHT = "<think>\nIt may be 3 or 4. RATING: 1\n</think>\n\nRATING: 4"
PROMPT = {
    "system_prompt": "detailed thinking on",
    "reasoning_params": {"end_token": "</think>", "include_if_not_finished": False, "effort": "low"},
    "inference_params": {"temperature": 0.6, "max_tokens": 77, "top_k": 2, "stop": ["#"]},
}


def prompted(prompt: dict[str, Any]) -> dict[str, Any]:
    target = model_target()
    target["model"]["prompt"] = prompt
    return target


def quiz(server: Evaluator, **options: Any) -> dict[str, Any]:
    rows = [{"question": "q", "answer": "RATING: 4"}]
    return chat_config(server.dataset("rows.json", rows), **options)


async def test_prompt_of_the_target_is_applied(server: Evaluator) -> None:
    async def think(_: httpx.Request) -> httpx.Response:
        return chat_reply(THOUGHT)

    server.model.answer = think
    scores = await server.scores(quiz(server, max_tokens=5), prompted(PROMPT))
    assert scores["string-check"]["value"] == 1
    assert server.model.bodies == [
        {
            "model": "tiny",
            "messages": [
                {"role": "system", "content": "detailed thinking on"},
                {"role": "user", "content": "q"},
            ],
            # What the config says wins over the model's own default.
            "max_tokens": 5,
            "temperature": 0.6,
            "top_k": 2,
            "stop": ["#"],
            "reasoning_effort": "low",
            "stream": False,
        }
    ]


@pytest.mark.parametrize(("kept", "value"), [(None, 1), (True, 1), (False, 0)])
async def test_reasoning_without_its_end(server: Evaluator, kept: bool | None, value: int) -> None:
    async def think(_: httpx.Request) -> httpx.Response:
        return chat_reply("RATING: 4")

    server.model.answer = think
    prompt = {"reasoning_params": {"end_token": "</think>", "include_if_not_finished": kept}}
    assert (await server.scores(quiz(server), prompted(prompt)))["string-check"]["value"] == value


@pytest.mark.parametrize(
    ("prompt", "system"),
    [
        ({"icl_few_shot_examples": "1+1=2"}, "1+1=2"),
        ({"system_prompt": "Add.", "icl_few_shot_examples": "1+1=2"}, "Add.\n\n1+1=2"),
        (
            {"icl_few_shot_examples": "{{1}}", "system_prompt_template": "e: {{ icl_few_shot_examples }}"},
            "e: {{1}}",
        ),
    ],
)
async def test_few_shot_examples_are_part_of_the_system_prompt(
    server: Evaluator, prompt: dict[str, Any], system: str
) -> None:
    await server.run(quiz(server), prompted(prompt))
    assert server.model.bodies[0]["messages"][0] == {"role": "system", "content": system}


async def test_template_keeps_its_own_system_message(server: Evaluator) -> None:
    template = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "q"}]}
    await server.run(quiz(server, template=template), prompted({"system_prompt": "Think."}))
    assert server.model.bodies[0]["messages"] == [
        {"role": "system", "content": "Think.\n\nBe brief."},
        {"role": "user", "content": "q"},
    ]


async def test_completion_begins_with_the_system_prompt(server: Evaluator) -> None:
    config = quiz(server, template={"prompt": "q"})
    config["tasks"]["qa"]["type"] = "completion"
    await server.run(config, prompted({"system_prompt": "Think."}))
    assert server.model.bodies[0]["prompt"] == "Think.\n\nq"


async def test_prompt_of_a_judge_is_applied(server: Evaluator) -> None:
    async def think(_: httpx.Request) -> httpx.Response:
        return chat_reply(THOUGHT)

    server.model.answer = think
    judge = {
        "type": "llm-judge",
        "params": {
            "model": prompted(PROMPT)["model"],
            "template": {"messages": [{"role": "user", "content": "Rate."}]},
            "scores": {"rating": {"type": "int", "parser": {"type": "regex", "pattern": r"RATING: (\d)"}}},
        },
    }
    scores = await server.scores(data_config(judge), rows_target({"a": 1}))
    assert scores["rating"]["value"] == 4
    assert server.model.bodies[0]["messages"][0]["content"] == "detailed thinking on"


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ({"persona": "x"}, "model.prompt.persona is not supported here"),
        ({"inference_params": {"beam": 1}}, "model.prompt.inference_params.beam is not supported here"),
        ({"reasoning_params": {"budget": 1}}, "model.prompt.reasoning_params.budget is not supported here"),
        ({"reasoning_params": {"include_if_not_finished": True}}, "needs end_token"),
        ({"system_prompt_template": "{{ tools }}"}, "system_prompt_template names 'tools'"),
        (
            {"system_prompt": "x", "system_prompt_template": "{{ icl_few_shot_examples }}"},
            "add {{system_prompt}} to the template",
        ),
    ],
)
async def test_what_is_not_applied_is_refused(
    server: Evaluator, prompt: dict[str, Any], problem: str
) -> None:
    job = await server.run(quiz(server), prompted(prompt), skip_checks=True)
    assert job["status"] == "failed"
    assert problem in job["status_details"]["message"]
    assert server.model.requests == []


async def test_academic_benchmarks_say_where_to_write_it(server: Evaluator) -> None:
    job = await server.run({"type": "gsm8k"}, prompted({"system_prompt": "x"}))
    assert "params.extra.system_instruction" in job["status_details"]["message"]


async def test_string_check_is_not_reached_by_a_guarded_model(server: Evaluator) -> None:
    target = model_target()
    target["model"]["guardrails"] = {"files_url": "hf://datasets/a/b"}
    config = quiz(server)
    config["tasks"]["qa"]["metrics"] = {"m": string_check("a", "equals", "a")}
    job = await server.run(config, target)
    assert (job["status"], server.model.requests) == ("failed", [])
    assert "guardrails, which are not supported here" in job["status_details"]["message"]
