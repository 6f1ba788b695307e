"""Failures of the model's endpoint: which are retried, which end a sample, and which end the job."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import override

from nemo_local_evaluator.settings import RegisteredModel
from tests.unit.local_evaluator.harness import (
    Evaluator,
    FakeModel,
    chat_config,
    echo,
    evaluator,
    model_target,
)
from tests.unit.local_evaluator.quiz import ROWS, quiz


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_passing_failure_is_retried(server: Evaluator, status: int) -> None:
    failures = [httpx.Response(status, headers={"Retry-After": "0"}), httpx.Response(status)]

    async def recover(request: httpx.Request) -> httpx.Response:
        return failures.pop() if failures else await echo(request)

    server.model.answer = recover
    scores = await server.scores(quiz(server, limit_samples=1), model_target())
    assert scores["string-check"]["value"] == 1.0
    assert len(server.model.requests) == 3


async def test_a_sample_that_fails_is_not_a_number_and_says_why(server: Evaluator) -> None:
    async def refuse_one(request: httpx.Request) -> httpx.Response:
        if b"q1" in request.content:
            return httpx.Response(400, text="too long; your key is s3cret")
        return await echo(request)

    server.model.answer = refuse_one
    job = await server.run(quiz(server), model_target(api_key="s3cret"))
    result = await server.get(f"jobs/{job['id']}/results")
    score = result["tasks"]["qa"]["metrics"]["score"]["scores"]["string-check"]
    assert (score["value"], score["stats"]["count"], score["stats"]["nan_count"]) == (1.0, 5, 1)
    failed = result["tasks"]["qa"]["data"]["samples"][1]
    assert failed["output_text"] is None
    assert failed["error"] == "model endpoint answered 400: too long; your key is ******"
    assert len(server.model.requests) == 6


async def unreachable(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


async def silent(_request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def unauthorised(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(401, text="no such key")


async def elsewhere(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(302, headers={"Location": "http://attacker.test/"})


async def not_json(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text="<html>")


async def no_choice(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"choices": []})


@pytest.mark.parametrize(
    ("answer", "cause", "calls"),
    [
        (unreachable, "cannot be reached: refused (attempts: 2)", 2),
        (silent, "did not answer within 1 s (attempts: 2)", 2),
        (unauthorised, "answered 401: no such key", 1),
        (elsewhere, "answered 302", 1),
        (not_json, "did not answer with JSON", 1),
        (no_choice, "response is not a chat-completion", 1),
    ],
)
async def test_a_job_whose_samples_all_fail_fails_naming_the_cause(
    server: Evaluator, answer: Any, cause: str, calls: int
) -> None:
    server.model.answer = answer
    config = quiz(server, max_retries=1, request_timeout=1, parallelism=6)
    job = await server.run(config, model_target())
    assert job["status"] == "failed"
    assert job["status_details"]["task_status"] == {"qa": "failed"}
    assert "all 6 samples tried have failed" in job["status_details"]["message"]
    assert cause in job["status_details"]["message"]
    assert len(server.model.requests) == 6 * calls


async def test_a_model_that_never_works_is_given_up_early(server: Evaluator) -> None:
    server.model.answer = unauthorised
    config = chat_config(server.dataset("many.json", ROWS * 50), parallelism=4)
    assert (await server.run(config, model_target()))["status"] == "failed"
    assert 25 <= len(server.model.requests) < 35


async def test_no_more_calls_at_once_than_parallelism(server: Evaluator) -> None:
    calls = peak = 0

    async def count(request: httpx.Request) -> httpx.Response:
        nonlocal calls, peak
        calls += 1
        peak = max(peak, calls)
        await asyncio.sleep(0.01)
        calls -= 1
        return await echo(request)

    server.model.answer = count
    scores = await server.scores(quiz(server, parallelism=3), model_target())
    assert peak == 3
    assert scores["string-check"]["stats"]["count"] == 6


async def test_a_registered_model_is_called_by_its_name(tmp_path: Path, model: FakeModel) -> None:
    registered = RegisteredModel(url="http://llm.test/v1", model_id="llama-8b", api_key="key")
    async with evaluator(tmp_path, model, models={"meta/llama": registered}) as server:
        await server.scores(quiz(server, limit_samples=1), {"type": "model", "model": "meta/llama"})
    assert model.bodies[0]["model"] == "llama-8b"
    assert str(model.requests[0].url) == "http://llm.test/v1/chat/completions"
    assert model.requests[0].headers["Authorization"] == "Bearer key"


async def test_an_answer_that_never_ends_is_cut_off(server: Evaluator) -> None:
    class Endless(httpx.AsyncByteStream):
        chunks = 0

        @override
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                self.chunks += 1
                yield b" " * 2**20

    endless = Endless()

    async def flood(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=endless)

    server.model.answer = flood
    job = await server.run(quiz(server, limit_samples=1), model_target())
    assert "larger than 16 MiB" in job["status_details"]["message"]
    assert endless.chunks == 17


async def test_an_endpoint_that_cannot_be_reached_fails_the_run_and_not_the_request(
    server: Evaluator,
) -> None:
    config = quiz(server)
    job = await server.run(config, model_target(url="http://gone.test/v1"))
    assert job["status"] == "failed"
    assert job["status_details"]["message"] == (
        "model endpoint 'http://gone.test/v1' cannot be reached: no such host (attempts: 8)"
    )
    assert server.model.requests == []


async def test_an_endpoint_that_starts_after_the_job_is_waited_for(server: Evaluator) -> None:
    server.model.starts_after = 6  # The launch check, then the run's.
    job = await server.run(quiz(server, max_retries=0), model_target())
    assert job["status"] == "completed", job["status_details"]
    log = await server.http.get(f"/v1/evaluation/jobs/{job['id']}/logs")
    with zipfile.ZipFile(io.BytesIO(log.content)) as archive:
        lines = archive.read("log.txt").decode()
    assert lines.count("cannot be reached: connection refused; waiting for it") == 1


async def test_an_endpoint_too_busy_for_the_launch_check_is_evaluated(server: Evaluator) -> None:
    scores = await server.scores(quiz(server), model_target(url="http://busy.test/v1"))
    assert scores["string-check"]["value"] == 1.0


async def test_an_endpoint_that_wants_another_key_is_reported_before_any_job(server: Evaluator) -> None:
    body = {"config": quiz(server), "target": model_target(url="http://locked.test/v1", api_key="s3cret")}
    refusal = await server.refused(400, "POST", "jobs", body)
    assert "answered 401: check its api_key" in refusal
    assert "s3cret" not in refusal


async def test_a_dataset_that_shrinks_meanwhile_is_what_the_job_fails_for(
    server: Evaluator, model: FakeModel
) -> None:
    # More than is read ahead.
    rows = [{"question": f"{number}?", "answer": "x" * 8_000} for number in range(600)]
    dataset = server.dataset("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    async def answer(request: httpx.Request) -> httpx.Response:
        (server.data / "rows.jsonl").write_text(json.dumps(rows[0]) + "\n")
        return await echo(request)

    model.answer = answer
    job = await server.run(chat_config(dataset), model_target())
    assert job["status"] == "failed"
    assert job["status_details"]["message"].startswith("dataset 'rows.jsonl'")
