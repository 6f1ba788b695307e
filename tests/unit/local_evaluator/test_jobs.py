"""The life of a job: its shapes, its end, cancel, delete, and a restart in the middle."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from nemo_local_evaluator.datasets import item_id
from tests.unit.local_evaluator.harness import (
    Evaluator,
    FakeModel,
    chat_config,
    chat_reply,
    data_config,
    evaluator,
    model_target,
    rows_target,
    string_check,
)

ROWS = [{"question": "yes", "answer": "yes"}, {"question": "no", "answer": "nay"}]


class Gate:
    """A model that answers only when let."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.dropped = asyncio.Event()

    async def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.dropped.set()
            raise
        return chat_reply("yes")


@pytest.fixture
async def gate(server: Evaluator) -> Gate:
    gate = Gate()
    server.model.answer = gate
    return gate


async def start(server: Evaluator, **params: Any) -> str:
    body = {"config": chat_config(server.dataset("quiz.json", ROWS), **params), "target": model_target()}
    return str((await server.create("jobs", body))["id"])


async def test_a_job_carries_its_config_and_target_with_nulls(server: Evaluator) -> None:
    await server.create("configs", data_config() | {"name": "c", "namespace": "team"})
    await server.create("targets", rows_target({"x": 1}) | {"name": "t", "namespace": "team"})
    body = {"config": "team/c", "target": "team/t", "custom_fields": {"k": "v"}}
    job = await server.create("jobs", body)
    assert job["id"].startswith("eval-")
    assert job["status"] == "created"
    assert job["status_details"] == {"message": None, "task_status": {}, "progress": None}
    absent = ("description", "project", "ownership", "result", "output_files_url")
    assert {key: job[key] for key in absent} == dict.fromkeys(absent)
    assert job["namespace"] == "default"
    assert job["custom_fields"] == {"k": "v"}
    stored = await server.get("configs/team/c")
    assert stored.items() <= {**job["config"], "tasks": stored["tasks"]}.items()
    assert job["config"]["groups"] is None
    assert job["config"]["tasks"]["qa"]["dataset"] is None
    assert job["target"]["model"] is None


@pytest.mark.parametrize("field", ["status", "status_details", "result", "output_files_url"])
async def test_what_only_the_server_says_of_a_job_is_refused(server: Evaluator, field: str) -> None:
    body = {"config": data_config(string_check("a", "equals", "a")), "target": rows_target({"x": 1})}
    (said,) = await server.refused(422, "POST", "jobs", body | {field: "completed"})
    assert f"{field} is the server's to set" in said["msg"]
    await server.create("jobs", body | {field: None})


async def test_status_details_and_files_are_searched(server: Evaluator) -> None:
    good = await server.run(data_config(string_check("a", "equals", "a")), rows_target({"x": 1}))
    bad = data_config(string_check('{{item["caf\u00e9"]}}', "equals", "a"))
    failed = await server.run(bad, rows_target({"x": 1}), skip_checks=True)
    assert (good["status"], failed["status"]) == ("completed", "failed")

    async def found(**search: str) -> list[str]:
        page = await server.get("jobs", **{f"search{key}": value for key, value in search.items()})
        return [job["id"] for job in page["data"]]

    assert await found(**{"[status_details]": "successfully"}) == [good["id"]]
    assert await found(**{"[status_details][message]": "successfully"}) == [good["id"]]
    for field in ("[status_details]", "[status_details][message]"):
        assert await found(**{field: '["caf\u00e9"]'}) == [failed["id"]]
    assert await found(**{"[output_files_url]": good["output_files_url"]}) == [good["id"]]
    assert await found(**{"[output_files_url]": failed["id"]}) == []


async def test_a_completed_job_has_status_details_and_results(server: Evaluator) -> None:
    job = await server.finished(await start(server))
    details = {
        "message": "Job completed successfully.",
        "task_status": {"qa": "completed"},
        "progress": 100.0,
        "samples_processed": 2,
    }
    assert (job["status"], job["status_details"]) == ("completed", details)
    assert await server.get(f"jobs/{job['id']}/status") == details
    result = await server.get(f"jobs/{job['id']}/results")
    assert result["id"] == job["result"]
    assert result["id"].startswith("evaluation_result-")
    assert (result["job"], result["groups"], result["namespace"]) == (job["id"], {}, "default")
    assert result["tasks"]["qa"]["metrics"]["score"]["scores"]["string-check"]["value"] == 0.5
    assert result["tasks"]["qa"]["data"]["samples"] == [
        {
            "index": 0,
            "item_id": item_id(ROWS[0]),
            "item": ROWS[0],
            "output_text": "yes",
            "scores": {"score": {"string-check": 1.0}},
        },
        {
            "index": 1,
            "item_id": item_id(ROWS[1]),
            "item": ROWS[1],
            "output_text": "no",
            "scores": {"score": {"string-check": 0.0}},
        },
    ]
    assert job["updated_at"] > job["created_at"]


async def test_a_running_job_says_so_and_has_no_results(server: Evaluator, gate: Gate) -> None:
    job_id = await start(server)
    await gate.asked.wait()
    job = await server.get(f"jobs/{job_id}")
    assert job["status"] == "running"
    assert job["status_details"]["message"] == "Job is running"
    assert job["status_details"]["task_status"] == {"qa": "running"}
    assert job["status_details"]["progress"] == 0.0
    assert "no results" in await server.refused(404, "GET", f"jobs/{job_id}/results")
    gate.open.set()
    assert (await server.finished(job_id))["status"] == "completed"


async def test_cancelling_a_running_job_drops_its_model_calls(server: Evaluator, gate: Gate) -> None:
    job_id = await start(server)
    await gate.asked.wait()
    reply = (await server.http.post(f"/v1/evaluation/jobs/{job_id}/cancel", json={})).json()
    assert reply["status"] == "cancelling"
    async with asyncio.timeout(1):
        await gate.dropped.wait()
        job = await server.finished(job_id)
    assert (job["status"], job["result"]) == ("cancelled", None)
    assert (await server.http.post(f"/v1/evaluation/jobs/{job_id}/cancel")).json() == job


async def test_a_waiting_job_is_cancelled_at_once_and_never_runs(server: Evaluator, gate: Gate) -> None:
    busy = [await start(server, parallelism=1) for _ in range(2)]
    waiting = await start(server)
    await server.reaches(waiting, "pending")
    cancelled = (await server.http.post(f"/v1/evaluation/jobs/{waiting}/cancel")).json()
    assert cancelled["status"] == "cancelled"
    gate.open.set()
    for job_id in busy:
        assert (await server.finished(job_id))["status"] == "completed"
    assert (await server.get(f"jobs/{waiting}"))["status"] == "cancelled"
    assert len(server.model.requests) == 4


async def test_no_more_jobs_run_than_there_are_workers(server: Evaluator, gate: Gate) -> None:
    jobs = [await start(server) for _ in range(3)]
    for job_id in jobs[:2]:
        await server.reaches(job_id, "running")
    assert (await server.get(f"jobs/{jobs[2]}"))["status"] == "pending"
    gate.open.set()
    assert (await server.finished(jobs[2]))["status"] == "completed"


async def test_deleting_a_job_stops_it_and_takes_its_results(server: Evaluator, gate: Gate) -> None:
    job_id = await start(server)
    await gate.asked.wait()
    reply = await server.http.delete(f"/v1/evaluation/jobs/{job_id}")
    assert (reply.status_code, reply.json()["id"]) == (200, job_id)
    assert gate.dropped.is_set()
    for path in ("", "/status", "/results"):
        assert "not found" in await server.refused(404, "GET", f"jobs/{job_id}{path}")
    assert "not found" in await server.refused(404, "DELETE", f"jobs/{job_id}")
    assert "not found" in await server.refused(404, "POST", f"jobs/{job_id}/cancel")


async def test_a_restart_resumes_what_waited_and_gives_up_what_ran(tmp_path: Path, model: FakeModel) -> None:
    gate = Gate()
    model.answer = gate
    async with evaluator(tmp_path, model, workers=1) as server:
        running = await start(server)
        await gate.asked.wait()
        target = model_target(api_key="s3cret")
        body = {"config": chat_config(server.dataset("quiz.json", ROWS)), "target": target}
        waiting = (await server.create("jobs", body))["id"]
    gate.open.set()
    async with evaluator(tmp_path, model, workers=1) as server:
        lost = await server.get(f"jobs/{running}")
        assert lost["status"] == "failed"
        assert "restarted" in lost["status_details"]["message"]
        assert (await server.finished(waiting))["status"] == "completed"
        assert model.requests[-1].headers["Authorization"] == "Bearer s3cret"


async def test_a_job_keeps_its_own_copy_of_the_config(server: Evaluator, gate: Gate) -> None:
    config = chat_config(server.dataset("quiz.json", ROWS)) | {"name": "c"}
    await server.create("configs", config)
    job = await server.create("jobs", {"config": "default/c", "target": model_target()})
    await server.http.patch("/v1/evaluation/configs/default/c", json={"type": "gsm8k"})
    gate.open.set()
    finished = await server.finished(job["id"])
    assert (finished["status"], finished["config"]["type"]) == ("completed", "custom")


async def test_references_must_exist(server: Evaluator) -> None:
    body = {"config": "team/none", "target": rows_target({"x": 1})}
    assert await server.refused(404, "POST", "jobs", body) == "config 'team/none' not found"
    body["config"] = "none"
    assert "namespace/name" in await server.refused(400, "POST", "jobs", body)
    assert "not found" in await server.refused(404, "GET", "jobs/eval-none")


ROW = rows_target({"x": 1})
NOWHERE = {"files_url": "file://nowhere.json"}


@pytest.mark.parametrize(
    ("config", "target", "reason"),
    [
        (chat_config(NOWHERE), model_target(), "does not exist"),
        (chat_config({"files_url": "/etc/passwd"}), model_target(), "outside the directories"),
        (chat_config(NOWHERE), model_target(url="nim:8000/v1"), "is not an http"),
        (chat_config(NOWHERE), model_target(url="http://nim:port/v1"), "is not a URL"),
        (chat_config(NOWHERE), {"type": "model", "model": "meta/llama"}, "not registered"),
        (chat_config(NOWHERE), {"type": "model", "model": {}}, "has no api_endpoint"),
        (chat_config(NOWHERE), {"type": "model"}, "has no model"),
        (chat_config(NOWHERE), ROW, "calls a model"),
        (chat_config(NOWHERE, template={"max_tokens": 1}), model_target(), "messages or prompt"),
        (data_config(), model_target(), "give a target of type dataset or rows with the answers"),
        (data_config(), {"type": "rows"}, "has no rows"),
        (data_config(dataset="team/quiz"), model_target(), "is a name"),
        (data_config(), {"type": "dataset", "dataset": "hf://datasets/x"}, "is not hf://datasets/"),
        (data_config({"type": "telepathy"}), ROW, "metric type 'telepathy' is unknown"),
        (data_config({"type": "bleu"}), ROW, "params.references: is required"),
        (data_config(string_check("a", "resembles", "b")), ROW, "params.check.1"),
        (data_config(string_check("{{", "equals", "b")), ROW, "is not valid Jinja"),
        ({"type": "custom"}, ROW, "has no tasks"),
    ],
)
async def test_what_cannot_run_is_refused_and_fails_where_checks_are_skipped(
    server: Evaluator, config: dict[str, Any], target: dict[str, Any], reason: str
) -> None:
    detail = await server.refused(400, "POST", "jobs", {"config": config, "target": target})
    assert detail.startswith("Job cannot be launched: ")
    assert reason in detail
    assert (await server.get("jobs"))["data"] == []
    job = await server.run(config, target, skip_checks=True)
    assert job["status"] == "failed"
    assert reason in job["status_details"]["message"]
    assert "'failed'" in await server.refused(404, "GET", f"jobs/{job['id']}/results")


@pytest.mark.parametrize(
    ("config", "target", "supported"),
    [
        (data_config(type="prompt-optimization"), ROW, "chat-completion, completion, data"),
        (data_config() | {"groups": {"all": {"tasks": ["qa"]}}}, ROW, "groups are not supported"),
        (data_config(), {"type": "rag", "rag": {}}, "supported are model, rows, dataset"),
        (chat_config(NOWHERE), model_target(format="lama_stack"), "supported are nim, openai"),
    ],
)
async def test_what_is_not_supported_is_accepted_and_fails_naming_what_is(
    server: Evaluator, config: dict[str, Any], target: dict[str, Any], supported: str
) -> None:
    job = await server.run(config, target)
    assert job["status"] == "failed"
    assert supported in job["status_details"]["message"]


async def test_a_crash_fails_its_job_and_no_other(
    server: Evaluator, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(_request: httpx.Request) -> httpx.Response:
        raise RuntimeError("out of luck")

    server.model.answer = crash
    for _ in range(3):
        job = await server.finished(await start(server))
        assert job["status"] == "failed"
        assert "Internal error" in job["status_details"]["message"]
    assert "out of luck" in caplog.text


async def test_health_and_openapi(server: Evaluator) -> None:
    assert (await server.http.get("/health")).json() == {"status": "healthy"}
    assert "/v1/evaluation/jobs/{job_id}/results" in (await server.http.get("/openapi.json")).json()["paths"]


async def test_a_secret_of_the_job_itself_is_masked_too(server: Evaluator) -> None:
    body = {"config": data_config(), "target": rows_target({"a": 1}), "api_key": "s3cret"}
    created = await server.create("jobs", body)

    assert created["api_key"] == "******"
    assert "s3cret" not in json.dumps(await server.get("jobs"))
