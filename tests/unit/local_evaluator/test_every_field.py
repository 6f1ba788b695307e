"""Every field that the API documents has an effect on an evaluation, is refused, or only describes.

The fields are read from the schemas, so a new one without an entry here fails.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, get_args

import httpx
import pytest
from pydantic import BaseModel

from nemo_local_evaluator.wire.schemas import ConfigInput, TargetInput
from tests.unit.local_evaluator.harness import (
    Evaluator,
    chat_config,
    data_config,
    echo,
    model_target,
    rows_target,
    string_check,
)

Json = dict[str, Any]
Run = tuple[Json, Json]
"""A config and a target."""

DESCRIBE = {"name", "namespace", "description", "project", "custom_fields", "ownership"}
"""Stored and returned; they identify or describe, and no evaluation is asked to do anything by them."""

DESCRIBED = {
    *(f"{name}.{field}" for name in ("ConfigInput", "TargetInput", "Dataset", "Model") for field in DESCRIBE),
    *("Ownership.created_by", "Ownership.updated_by", "Ownership.access_policies", "Dataset.type_prefix"),
    # The endpoint alone decides which weights answer.
    *("Model.spec", "Model.artifact", "Model.base_model", "Model.peft"),
}


def fields(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{name}"
        for inner in models_in(field.annotation):
            yield from fields(inner, seen)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


SEEN: set[type[BaseModel]] = set()
ALL = [*fields(ConfigInput, SEEN), *fields(TargetInput, SEEN)]


def asked(server: Evaluator, **params: Any) -> Run:
    rows = [{"question": f"q{number}", "answer": "q0"} for number in range(2)]
    return chat_config(server.dataset("rows.json", rows), **params), model_target()


def with_params(field: str, value: object) -> Callable[[Evaluator], tuple[Run, Run]]:
    return lambda server: (asked(server), asked(server, **{field: value}))


def with_prompt(**prompt: Any) -> Callable[[Evaluator], tuple[Run, Run]]:
    def pair(server: Evaluator) -> tuple[Run, Run]:
        before, (config, target) = asked(server), asked(server)
        target["model"]["prompt"] = prompt
        return before, (config, target)

    return pair


def with_model(**model: Any) -> Callable[[Evaluator], tuple[Run, Run]]:
    def pair(server: Evaluator) -> tuple[Run, Run]:
        config, target = asked(server)
        return asked(server), (config, {**target, "model": {**target["model"], **model}})

    return pair


def with_endpoint(**endpoint: Any) -> Callable[[Evaluator], tuple[Run, Run]]:
    return lambda server: (asked(server), (asked(server)[0], model_target(**endpoint)))


def with_task(**task: Any) -> Callable[[Evaluator], tuple[Run, Run]]:
    return lambda _: (scored(), (data_config(CHECK, **task), rows_target({"a": "x"})))


def with_dataset(**dataset: Any) -> Callable[[Evaluator], tuple[Run, Run]]:
    def pair(server: Evaluator) -> tuple[Run, Run]:
        for name in ("train", "test"):
            server.dataset(f"{name}.jsonl", (json.dumps({"question": name, "answer": name}) + "\n") * 2)
        whole = {"files_url": "file://."}
        config = chat_config(whole | {"split": "test"})
        return (config, model_target()), (chat_config(whole | {"split": "test"} | dataset), model_target())

    return pair


CHECK = string_check("{{item.a}}", "equals", "x")
GROUP = {"all": {"tasks": ["qa"]}}


def scored() -> Run:
    return data_config(CHECK), rows_target({"a": "x"})


def retrieved(**group: Any) -> Callable[[Evaluator], tuple[Run, Run]]:
    def pair(server: Evaluator) -> tuple[Run, Run]:
        def run(groups: Json | None) -> Run:
            tasks = {name: {"type": "ragas", "metrics": {"recall_1": {"type": "recall_1"}}} for name in "ab"}
            row = {"user_input": "q", "retrieved_contexts": ["c"], "reference_contexts": ["c"]}
            return {"type": "retriever", "tasks": tasks, "groups": groups}, rows_target(row)

        return run({"all": {}}), run({"all": group})

    return pair


def recorded(kind: str) -> Callable[[Evaluator], tuple[Run, Run]]:
    """A target of `kind` beside one that holds other rows."""

    def pair(server: Evaluator) -> tuple[Run, Run]:
        row = {"input": "q", "reference": "yes", "output": "yes"}
        dataset = server.dataset("recorded.json", [row])
        task = {"type": "default", "metrics": {"em": {"type": "em"}}}
        config = {"type": "similarity_metrics", "tasks": {"qa": task}}
        other = rows_target({**row, "output": "no"})
        content = {"rows": [row], "dataset": dataset, "cached_outputs": dataset}[kind]
        return (config, other), (config, {"type": kind, kind: content})

    return pair


def held(kind: str) -> Callable[[Evaluator], tuple[Run, Run]]:
    return lambda _: (scored(), (scored()[0], {"type": kind, kind: {"pipeline": {}}}))


EFFECTS: dict[str, Callable[[Evaluator], tuple[Run, Run]]] = {
    "ConfigInput.type": lambda _: (scored(), ({**scored()[0], "type": "agentic"}, scored()[1])),
    "ConfigInput.params": with_params("temperature", 0.5),
    "ConfigInput.tasks": lambda _: (scored(), ({"type": "custom"}, scored()[1])),
    "ConfigInput.groups": lambda _: (scored(), ({**scored()[0], "groups": GROUP}, scored()[1])),
    "Params.limit_samples": with_params("limit_samples", 1),
    "Params.max_tokens": with_params("max_tokens", 3),
    "Params.temperature": with_params("temperature", 0.5),
    "Params.top_p": with_params("top_p", 0.5),
    "Params.stop": with_params("stop", ["#"]),
    "Params.extra": with_params("extra", {"top_k": 1}),
    "Task.type": with_task(type="completion"),
    "Task.params": lambda server: (
        asked(server),
        (
            chat_config(server.dataset("rows.json", [{"answer": "q"}]), template={"prompt": "q"}),
            model_target(),
        ),
    ),
    "Task.dataset": with_task(dataset={"files_url": "file://other.json"}),
    "Task.metrics": with_task(metrics={"other": CHECK}),
    "Metric.type": with_task(metrics={"score": {**CHECK, "type": "accuracy"}}),
    "Metric.params": with_task(metrics={"score": string_check("a", "equals", "b")}),
    "Dataset.files_url": with_dataset(files_url="file://train.jsonl"),
    "Dataset.format": with_dataset(format="csv"),
    "Dataset.hf_endpoint": with_dataset(files_url="hf://datasets/a/b", hf_endpoint="nowhere"),
    "Dataset.split": with_dataset(split="train"),
    "Dataset.limit": with_dataset(limit=1),
    "Group.tasks": retrieved(tasks=["c"]),
    "Group.metrics": retrieved(metrics={"recall_1": {"type": "recall_1"}}),
    "Group.groups": retrieved(groups=GROUP),
    "TargetInput.type": with_task(type="chat-completion"),
    "TargetInput.model": with_model(api_endpoint={"url": "http://other.test/v1", "model_id": "tiny"}),
    "TargetInput.cached_outputs": recorded("cached_outputs"),
    "TargetInput.retriever": held("retriever"),
    "TargetInput.rag": held("rag"),
    "TargetInput.rows": recorded("rows"),
    "TargetInput.dataset": recorded("dataset"),
    "CachedOutputs.files_url": recorded("cached_outputs"),
    "Model.api_endpoint": with_model(api_endpoint=None),
    "Model.prompt": with_prompt(system_prompt="x"),
    "Model.guardrails": with_model(guardrails={"files_url": "x"}),
    "ApiEndpoint.url": with_endpoint(url="http://other.test/v1"),
    "ApiEndpoint.model_id": with_endpoint(model_id="other"),
    "ApiEndpoint.api_key": with_endpoint(api_key="key"),
    "ApiEndpoint.format": with_endpoint(format="lama_stack"),
    "PromptData.system_prompt": with_prompt(system_prompt="x"),
    "PromptData.icl_few_shot_examples": with_prompt(icl_few_shot_examples="x"),
    "PromptData.system_prompt_template": with_prompt(system_prompt_template="x"),
    "PromptData.inference_params": with_prompt(inference_params={"top_p": 0.5}),
    "PromptData.reasoning_params": with_prompt(reasoning_params={"effort": "low"}),
    "InferenceParams.max_tokens": with_prompt(inference_params={"max_tokens": 1}),
    "InferenceParams.stop": with_prompt(inference_params={"stop": ["#"]}),
    "InferenceParams.temperature": with_prompt(inference_params={"temperature": 0.5}),
    "InferenceParams.top_k": with_prompt(inference_params={"top_k": 1}),
    "InferenceParams.top_p": with_prompt(inference_params={"top_p": 0.5}),
    "ReasoningParams.end_token": with_prompt(reasoning_params={"end_token": "q"}),
    "ReasoningParams.include_if_not_finished": with_prompt(
        reasoning_params={"end_token": "#", "include_if_not_finished": False}
    ),
    "ReasoningParams.effort": with_prompt(reasoning_params={"effort": "low"}),
}


async def observed(server: Evaluator, run: Run) -> Json:
    """What an evaluation does that can be seen from outside: its calls, its end, its result."""
    server.model.requests.clear()
    response = await server.http.post("/v1/evaluation/jobs", json={"config": run[0], "target": run[1]})
    if response.status_code != httpx.codes.CREATED:
        return {"refused": response.json()}
    job = await server.finished(response.json()["id"])
    result = {}
    if job["status"] == "completed":
        result = await server.get(f"jobs/{job['id']}/results")
    calls = sorted(
        f"{call.url} {call.headers.get('Authorization')} {call.content!r}" for call in server.model.requests
    )
    return {
        "calls": calls,
        "end": (job["status"], job["status_details"]["message"]),
        "result": [result.get("tasks"), result.get("groups")],
    }


@pytest.mark.parametrize("field", EFFECTS)
async def test_field_has_an_effect_or_is_refused(server: Evaluator, field: str) -> None:
    before, after = EFFECTS[field](server)
    assert await observed(server, before) != await observed(server, after)


async def parallelism(server: Evaluator) -> None:
    calling, most = 0, 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal calling, most
        calling += 1
        most = max(most, calling)
        for _ in range(5):
            await asyncio.sleep(0)
        calling -= 1
        return await echo(request)

    server.model.answer = slow
    await server.run(*asked(server, parallelism=1))
    assert most == 1


async def max_retries(server: Evaluator) -> None:
    async def fail(_: httpx.Request) -> httpx.Response:
        return httpx.Response(500)

    server.model.answer = fail
    await server.run(*asked(server, max_retries=0))
    assert len(server.model.requests) == 2


async def request_timeout(server: Evaluator) -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    server.model.answer = hang
    job = await server.run(*asked(server, request_timeout=1, max_retries=0))
    assert "did not answer within 1 s" in job["status_details"]["message"]


MEASURED: dict[str, Callable[[Evaluator], Awaitable[None]]] = {
    "Params.parallelism": parallelism,
    "Params.max_retries": max_retries,
    "Params.request_timeout": request_timeout,
}


@pytest.mark.parametrize("field", MEASURED)
async def test_field_has_its_own_effect(server: Evaluator, field: str) -> None:
    await MEASURED[field](server)


def test_no_field_is_left_out() -> None:
    assert set(ALL) == DESCRIBED | EFFECTS.keys() | MEASURED.keys()


AGENTIC = {"type": "agentic", "tasks": {"qa": {"type": "tool_call_accuracy"}}}
CONVERSATION = rows_target({"user_input": [], "reference_tool_calls": []})
SIMILAR = {
    "type": "similarity_metrics",
    "tasks": {"qa": {"type": "default", "metrics": {"em": {"type": "em"}}}},
}
ANSWER = rows_target({"input": "q", "reference": "a", "output": "a"})
RETRIEVAL = {
    "type": "retriever",
    "tasks": {"qa": {"type": "ragas", "metrics": {"recall_1": {"type": "recall_1", "params": {"k": 1}}}}},
}
CONTEXTS = rows_target({"user_input": "q", "retrieved_contexts": ["c"], "reference_contexts": ["c"]})


def tasks_with(config: Json, **task: Any) -> Json:
    return {**config, "tasks": {"qa": {**config["tasks"]["qa"], **task}}}


@pytest.mark.parametrize(
    ("config", "target", "named"),
    [
        ({**AGENTIC, "groups": GROUP}, CONVERSATION, "groups"),
        (tasks_with(AGENTIC, params={"metric_mode": "f1"}), CONVERSATION, "tasks.qa.params"),
        (tasks_with(AGENTIC, dataset="file://x.json"), CONVERSATION, "tasks.qa.dataset"),
        (
            tasks_with(AGENTIC, metrics={"m": {"type": "tool_call_accuracy", "params": {"k": 1}}}),
            CONVERSATION,
            "tasks.qa.metrics.m.params",
        ),
        ({**SIMILAR, "groups": GROUP}, ANSWER, "groups"),
        (tasks_with(SIMILAR, params={"template": "x"}), ANSWER, "tasks.qa.params"),
        (tasks_with(SIMILAR, dataset="file://x.json"), ANSWER, "tasks.qa.dataset"),
        (RETRIEVAL, CONTEXTS, "tasks.qa.metrics.recall_1.params"),
        (tasks_with(RETRIEVAL, params={"top_k": 1}), CONTEXTS, "tasks.qa.params"),
        (data_config(CHECK, dataset="file://x.json"), rows_target({"a": "x"}), "tasks.qa.dataset"),
        (data_config(CHECK), {**rows_target({"a": "x"}), "model": "m"}, "target.model has no effect"),
    ],
)
async def test_what_one_type_of_evaluation_ignores_is_refused(
    server: Evaluator, config: Json, target: Json, named: str
) -> None:
    job = await server.run(config, target, skip_checks=True)
    assert job["status"] == "failed"
    assert named in job["status_details"]["message"]
