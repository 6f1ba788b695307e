"""Requests to the model, and how its answers are read."""

import json
from typing import Any

import httpx
import pytest

from tests.unit.local_evaluator.harness import (
    Evaluator,
    chat_config,
    chat_reply,
    echo,
    model_target,
    string_check,
)
from tests.unit.local_evaluator.quiz import quiz, samples


async def test_params_are_sent_and_the_template_s_win(server: Evaluator) -> None:
    template = {"messages": [{"role": "user", "content": "{{item.question}}"}], "max_tokens": 7, "seed": 3}
    extra = {"top_k": 1, "seed": 1, "hf_token": "s3cret", "num_fewshot": 8}
    config = quiz(server, template=template, max_tokens=99, temperature=0, limit_samples=1, extra=extra)
    await server.run(config, model_target(api_key="key\n"))
    (request,) = server.model.requests
    assert request.headers["Authorization"] == "Bearer key"
    assert server.model.bodies == [
        {
            "model": "tiny",
            "messages": [{"role": "user", "content": "q0"}],
            "max_tokens": 7,
            "temperature": 0,
            "seed": 3,
            "top_k": 1,
            "stream": False,
        }
    ]


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("http://nim.test/v1", "http://nim.test/v1/chat/completions"),
        ("http://nim.test/v1/", "http://nim.test/v1/chat/completions"),
        ("http://nim.test/v1/chat/completions", "http://nim.test/v1/chat/completions"),
        ("http://nim.test/custom?v=1", "http://nim.test/custom?v=1"),
    ],
)
async def test_url_is_called_as_given_or_beneath_v1(server: Evaluator, given: str, called: str) -> None:
    await server.run(quiz(server, limit_samples=1), model_target(url=given))
    assert str(server.model.requests[0].url) == called


async def test_completion_sends_a_prompt(server: Evaluator) -> None:
    config = quiz(server, template={"prompt": "Q: {{question}}"}, limit_samples=1)
    config["tasks"]["qa"]["type"] = "completion"
    job = await server.run(config, model_target())
    assert str(server.model.requests[0].url).endswith("/v1/completions")
    assert server.model.bodies == [{"model": "tiny", "prompt": "Q: q0", "stream": False}]
    assert (await samples(server, job))[0]["output_text"] == "Q: q0"


async def test_messages_and_tools_may_be_jinja_that_renders_json(server: Evaluator) -> None:
    rows = [{"messages": [{"role": "user", "content": "it's"}], "tools": [{"type": "function"}]}]
    template = {
        "messages": "{{ item.messages | tojson }}",
        "tools": "{{ item.tools | tojson }}",
        "tool_choice": "auto",
    }
    config = chat_config(server.dataset("chat.json", rows), template=template)
    config["tasks"]["qa"]["metrics"] = {"any": string_check("a", "equals", "a")}
    assert (await server.run(config, model_target()))["status"] == "completed"
    assert server.model.bodies == [{"model": "tiny", "tool_choice": "auto", "stream": False, **rows[0]}]


async def test_a_prompt_becomes_a_user_message_in_a_chat(server: Evaluator) -> None:
    await server.run(quiz(server, template="{{item.question}}", limit_samples=1), model_target())
    assert server.model.bodies[0]["messages"] == [{"role": "user", "content": "q0"}]


async def test_an_answer_without_text_is_empty(server: Evaluator) -> None:
    async def call_a_tool(_request: httpx.Request) -> httpx.Response:
        return chat_reply(None)

    server.model.answer = call_a_tool
    job = await server.run(quiz(server, limit_samples=1), model_target())
    assert (await samples(server, job))[0]["output_text"] == ""


@pytest.mark.parametrize(
    ("template", "cause"),
    [
        ("{{item.absent}}", "'absent'"),
        ({"messages": "{{item.question}}"}, "does not render JSON"),
        ({"messages": "[{{item.question | tojson}}]"}, "must be a list of objects"),
    ],
)
async def test_a_prompt_that_cannot_be_made_is_no_call(
    server: Evaluator, template: object, cause: str
) -> None:
    job = await server.run(quiz(server, template=template), model_target())
    assert job["status"] == "failed"
    assert cause in job["status_details"]["message"]
    assert server.model.requests == []


MESSAGES = {
    "messages": [{"role": "system", "content": "Briefly."}, {"role": "user", "content": "{{question}}"}]
}
ASKED = [{"role": "system", "content": "Briefly."}, {"role": "user", "content": "q0"}]
PROMPT = {"prompt": "Q: {{question}}"}


@pytest.mark.parametrize(
    ("url", "template", "called", "sent"),
    [
        # As NVIDIA's end-to-end tutorial has it.
        ("/v1/chat/completions", MESSAGES, "/v1/chat/completions", {"messages": ASKED}),
        ("/v1", MESSAGES, "/v1/chat/completions", {"messages": ASKED}),
        (
            "/v1/chat/completions",
            PROMPT,
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "Q: q0"}]},
        ),
        ("/v1", PROMPT, "/v1/completions", {"prompt": "Q: q0"}),
        ("/v1/completions", "Q: {{question}}", "/v1/completions", {"prompt": "Q: q0"}),
        ("/v1/completions", PROMPT | MESSAGES, "/v1/completions", {"prompt": "Q: q0"}),
        ("/v1/chat/completions", PROMPT | MESSAGES, "/v1/chat/completions", {"messages": ASKED}),
        ("/generate", PROMPT, "/generate", {"prompt": "Q: q0"}),
    ],
)
async def test_a_completion_is_asked_as_the_endpoint_takes_it(
    server: Evaluator, url: str, template: object, called: str, sent: dict[str, Any]
) -> None:
    config = quiz(server, template=template, limit_samples=1)
    config["tasks"]["qa"]["type"] = "completion"
    target = model_target(url=f"http://nim.test{url}")
    job = await server.run(config, target)
    assert job["status"] == "completed", job["status_details"]
    assert [request.url.path for request in server.model.requests] == [called]
    assert server.model.bodies == [{"model": "tiny", **sent, "stream": False}]


@pytest.mark.parametrize(
    ("task", "judged", "complaint"),
    [
        ("completion", False, "task 'qa': an endpoint for completions takes no messages"),
        ("chat-completion", False, "task 'qa' sends messages, but 'http://nim.test/v1/completions' is"),
        ("data", True, "metric 'score' sends messages, but 'http://nim.test/v1/completions' is"),
    ],
)
async def test_messages_for_an_endpoint_of_completions_are_refused(
    server: Evaluator, task: str, judged: bool, complaint: str
) -> None:
    config = quiz(server)
    config["tasks"]["qa"]["type"] = task
    target = model_target(url="http://nim.test/v1/completions")
    if judged:
        params = {"model": target["model"], "template": "Rate it", "scores": {"rating": {}}}
        config["tasks"]["qa"]["metrics"] = {"score": {"type": "llm-judge", "params": params}}
        target = {"type": "dataset", "dataset": config["tasks"]["qa"]["dataset"]}
    detail = await server.refused(400, "POST", "jobs", {"config": config, "target": target})
    assert complaint in detail
    assert "/chat/completions" in detail


TOOL = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        ({"nvext": "{{ item.nvext | tojson }}"}, {"nvext": {"top_k": 1}}),
        ({"nvext": "{{ item.nvext }}"}, {"nvext": {"top_k": 1}}),
        (
            {"nvext": {"top_k": "{{ item.nvext.top_k }}", "greedy": True}},
            {"nvext": {"top_k": 1, "greedy": True}},
        ),
        ({"max_tokens": "{{ item.nvext.top_k }}"}, {"max_tokens": 1}),
        ({"max_tokens": "{{ item.text | int }}"}, {"max_tokens": 7}),
        ({"user": "row {{ item.text }}"}, {"user": "row 7"}),
        ({"stop": ["{{ item.text }}", "#"]}, {"stop": ["7", "#"]}),
        ({"tool_choice": "{{ item.choice }}"}, {"tool_choice": "auto"}),
        ({"tool_choice": "{{ item.choice | tojson }}"}, {"tool_choice": "auto"}),
        ({"tool_choice": "{{ item.tools[0] }}"}, {"tool_choice": TOOL}),
        ({"tool_choice": '{"type": "{{ item.choice }}"}'}, {"tool_choice": {"type": "auto"}}),
        ({"tools": "{{ item.tools }}"}, {"tools": [TOOL]}),
        ({"tools": "{{ item.tools_json }}"}, {"tools": [TOOL]}),
        ({"tools": "[{{ item.tools[0] | tojson }}]"}, {"tools": [TOOL]}),
        ({"tools": ["{{ item.tools[0] }}"]}, {"tools": [TOOL]}),
        ({"response_format": {"type": "{{ item.choice }}"}}, {"response_format": {"type": "auto"}}),
    ],
)
async def test_every_string_of_a_request_is_rendered(
    server: Evaluator, template: dict[str, Any], sent: dict[str, Any]
) -> None:
    row = {
        "nvext": {"top_k": 1},
        "text": "7",
        "choice": "auto",
        "tools": [TOOL],
        "tools_json": json.dumps([TOOL]),
    }
    config = chat_config(server.dataset("rows.json", [row]), template={"prompt": "x", **template})
    config["tasks"]["qa"]["metrics"] = {"any": string_check("a", "equals", "a")}
    job = await server.run(config, model_target())
    assert job["status"] == "completed", job["status_details"]
    messages = [{"role": "user", "content": "x"}]
    assert server.model.bodies == [{"model": "tiny", "messages": messages, "stream": False, **sent}]


PARTS = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:"}}]


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("{{ item.parts }}", PARTS),
        ("{{ item.nothing }}", None),
        # Else the content of a message is a text, which may well be JSON.
        ("{{ item.number }}", "5"),
        ("{{ item.calls }}", "[{'type': 'function'}]"),
        ("{{ item.calls | tojson }}", '[{"type": "function"}]'),
        ("{{ item.parts | tojson }}", json.dumps(PARTS)),
        ([{"type": "text", "text": "{{ item.number }}"}], [{"type": "text", "text": "5"}]),
    ],
)
async def test_the_content_of_a_message_is_text_or_parts(
    server: Evaluator, content: object, sent: object
) -> None:
    row = {"parts": PARTS, "nothing": None, "number": 5, "calls": [{"type": "function"}]}
    template = {"messages": [{"role": "user", "content": content}]}
    config = chat_config(server.dataset("rows.json", [row]), template=template)
    config["tasks"]["qa"]["metrics"] = {"any": string_check("a", "equals", "a")}

    async def answer(_request: httpx.Request) -> httpx.Response:
        return chat_reply("It is.")

    server.model.answer = answer
    job = await server.run(config, model_target())
    assert job["status"] == "completed", job["status_details"]
    assert server.model.bodies[0]["messages"] == [{"role": "user", "content": sent}]


async def test_a_judge_s_request_is_rendered_like_a_task_s(server: Evaluator) -> None:
    template = {
        "messages": "{{ item.messages }}",
        "max_tokens": "{{ item.words }}",
        "nvext": {"id": "{{ item.id }}"},
    }
    model = model_target()["model"]
    metric = {"type": "llm-judge", "params": {"model": model, "template": template, "scores": {"rating": {}}}}
    rows = [{"messages": [{"role": "user", "content": '{"rating": 3}'}], "words": 9, "id": 1}]
    config = {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"score": metric}}}}
    scores = await server.scores(config, {"type": "rows", "rows": rows})
    assert scores["rating"]["value"] == 3
    sent = {"messages": rows[0]["messages"], "max_tokens": 9, "nvext": {"id": 1}}
    assert server.model.bodies == [{"model": "tiny", **sent, "stream": False}]


async def test_half_a_surrogate_pair_goes_through(server: Evaluator) -> None:
    rows = [{"question": "\ud83d", "answer": "\ud83d"}]
    job = await server.run(chat_config(server.dataset("odd.json", rows)), model_target())
    result = await server.get(f"jobs/{job['id']}/results")
    assert result["tasks"]["qa"]["metrics"]["score"]["scores"]["string-check"]["value"] == 1
    assert result["tasks"]["qa"]["data"]["samples"][0]["output_text"] == "\ud83d"


async def test_an_answer_nested_too_deeply_costs_its_sample_and_no_more(server: Evaluator) -> None:
    async def deep(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b'{"choices": ' + b"[" * 600 + b"]" * 600 + b"}")

    server.model.answer = deep
    job = await server.run(quiz(server, limit_samples=1), model_target())
    assert "more than 100 nested objects and lists" in job["status_details"]["message"]
    server.model.answer = echo
    scores = await server.scores(quiz(server, limit_samples=1), model_target())
    assert scores["string-check"]["value"] == 1.0


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            [{"type": "text", "text": "Pa"}, {"type": "image", "url": "x"}, {"type": "text", "text": "ris"}],
            "Paris",
        ),
        ([], ""),
        (None, ""),
    ],
)
async def test_an_answer_in_parts_is_read_as_one(server: Evaluator, content: object, text: str) -> None:
    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"choices": [{"message": {"role": "assistant", "content": content}}]})

    server.model.answer = answer
    job = await server.run(quiz(server, limit_samples=1), model_target())
    result = await server.get(f"jobs/{job['id']}/results")
    assert result["tasks"]["qa"]["data"]["samples"][0]["output_text"] == text


@pytest.mark.parametrize("content", [7, {"text": "Paris"}, [7], [{"type": "text"}]])
async def test_an_answer_that_is_no_text_costs_its_sample(server: Evaluator, content: object) -> None:
    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"choices": [{"message": {"role": "assistant", "content": content}}]})

    server.model.answer = answer
    job = await server.run(quiz(server, limit_samples=1), model_target())
    assert "response is not a chat-completion" in job["status_details"]["message"]
