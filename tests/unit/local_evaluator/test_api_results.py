"""Results as entities, and what a job leaves to download: its log, its result, every sample."""

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx

from nemo_local_evaluator.storage import Artifacts
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

SCORES = {"answers": {"metrics": {"right": {"scores": {"mean": {"value": 0.5, "stats": {"count": 2}}}}}}}


async def job_of(server: Evaluator, *rows: dict[str, Any], task: str = "qa") -> dict[str, Any]:
    config = data_config(string_check("{{item.x}}", "equals", "1"))
    config["tasks"] = {task: config["tasks"]["qa"]}
    job = await server.run(config, rows_target(*rows))
    assert job["status"] == "completed", job["status_details"]
    return job


async def archive(server: Evaluator, path: str) -> dict[str, str]:
    response = await server.http.get(f"/v1/evaluation/{path}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/zip"
    assert int(response.headers["content-length"]) == len(response.content)
    with zipfile.ZipFile(io.BytesIO(response.content)) as files:
        return {name: files.read(name).decode() for name in files.namelist()}


async def test_a_job_s_own_result_is_such_an_entity(server: Evaluator) -> None:
    job = await job_of(server, {"x": "1"})
    result = await server.get(f"jobs/{job['id']}/results")
    assert await server.get(f"results/{job['result']}") == result
    other = await server.create("results", {"job": "eval-elsewhere", "namespace": "team", "tasks": SCORES})
    assert (await server.get("results", **{"filter[job_id]": job["id"]}))["data"] == [result]
    assert (await server.get("results"))["data"] == [other, result]
    assert (await server.get("results", **{"search[tasks]": "answers"}))["data"] == [other]


async def test_a_job_whose_result_is_deleted_names_none(server: Evaluator) -> None:
    job = await job_of(server, {"x": "1"})
    assert (await server.http.delete(f"/v1/evaluation/results/{job['result']}")).status_code == 200

    assert (await server.get(f"jobs/{job['id']}"))["result"] is None
    await server.refused(404, "GET", f"jobs/{job['id']}/results")


async def test_a_result_is_created_changed_and_deleted(server: Evaluator) -> None:
    body = {"job": "eval-elsewhere", "custom_fields": {"run": 7}, "tasks": SCORES, "project": None}
    created = await server.create("results", body)
    assert created["id"].startswith("evaluation_result-")
    assert (created["namespace"], created["groups"], created["tasks"]) == ("default", {}, SCORES)
    assert "project" not in created
    assert (await server.get("results", **{"filter[custom_fields][run]": "7"}))["data"] == [created]

    path = f"/v1/evaluation/results/{created['id']}"
    patch = {"description": "checked", "tasks": {"answers": None}, "custom_fields": {"run": 8}}
    changed = (await server.http.patch(path, json=patch)).json()
    assert (changed["description"], changed["tasks"], changed["custom_fields"]) == ("checked", {}, {"run": 8})
    assert (changed["id"], changed["created_at"]) == (created["id"], created["created_at"])
    assert changed["updated_at"] > created["updated_at"]
    assert (await server.get("results", **{"filter[custom_fields][run]": "7"}))["data"] == []
    detail = await server.refused(422, "PATCH", f"results/{created['id']}", {"job": None})
    assert [(one["loc"], one["type"]) for one in detail] == [(["body", "job"], "missing")]

    reply = (await server.http.delete(path)).json()
    assert reply["id"] == created["id"]
    for method in ("GET", "PATCH", "DELETE"):
        assert "not found" in await server.refused(404, method, f"results/{created['id']}", {})


async def test_a_result_goes_with_its_job_and_may_go_before(server: Evaluator) -> None:
    job = await job_of(server, {"x": "1"})
    added = await server.create("results", {"job": job["id"]})
    await server.http.delete(f"/v1/evaluation/results/{job['result']}")
    assert "no results" in await server.refused(404, "GET", f"jobs/{job['id']}/results")
    await server.http.delete(f"/v1/evaluation/jobs/{job['id']}")
    assert "not found" in await server.refused(404, "GET", f"results/{added['id']}")


async def test_the_download_has_the_result_and_every_sample(server: Evaluator) -> None:
    rows = [{"x": str(number)} for number in range(1100)]
    job = await job_of(server, *rows, task="../a/b")
    files = await archive(server, f"jobs/{job['id']}/download-results")
    assert files.keys() == {"job.json", "results.json", "log.txt", "samples/..%2Fa%2Fb.jsonl"}
    assert json.loads(files["job.json"]) == job
    assert json.loads(files["results.json"]) == await server.get(f"jobs/{job['id']}/results")
    samples = [json.loads(line) for line in files["samples/..%2Fa%2Fb.jsonl"].splitlines()]
    assert sorted(int(sample["item"]["x"]) for sample in samples) == list(range(1100))
    assert job["output_files_url"] == (server.data / "jobs" / job["id"]).as_uri()


async def test_the_log_states_the_outcome_of_the_job(server: Evaluator) -> None:
    job = await job_of(server, {"x": "1"})
    log = (await archive(server, f"jobs/{job['id']}/logs"))["log.txt"]
    assert "Job is running" in log
    assert "Job completed successfully." in log


async def test_there_is_nothing_to_download_before_completion(server: Evaluator) -> None:
    never = asyncio.Event()

    async def silent(_request: httpx.Request) -> httpx.Response:
        await never.wait()
        raise AssertionError

    server.model.answer = silent
    dataset = server.dataset("quiz.json", [{"question": "q", "answer": "a"}])
    job = await server.create("jobs", {"config": chat_config(dataset), "target": model_target()})
    assert "no results to download" in await server.refused(404, "GET", f"jobs/{job['id']}/download-results")
    assert (await archive(server, f"jobs/{job['id']}/logs")).keys() == {"log.txt"}
    for path in ("logs", "download-results"):
        assert "not found" in await server.refused(404, "GET", f"jobs/eval-none/{path}")
    await server.http.delete(f"/v1/evaluation/jobs/{job['id']}")
    assert not (server.data / "jobs" / job["id"]).exists()


async def test_a_key_that_the_model_repeats_is_masked_in_all_that_is_left(server: Evaluator) -> None:
    async def repeat_headers(request: httpx.Request) -> httpx.Response:
        return chat_reply(f"you sent {request.headers['Authorization']}")

    server.model.answer = repeat_headers
    dataset = server.dataset("quiz.json", [{"question": "q", "answer": "a"}])
    job = await server.run(chat_config(dataset), model_target(api_key="s3cret-key"))
    result = await server.get(f"jobs/{job['id']}/results")
    assert result["tasks"]["qa"]["data"]["samples"][0]["output_text"] == "you sent Bearer ******"
    files = await archive(server, f"jobs/{job['id']}/download-results")
    logs = await archive(server, f"jobs/{job['id']}/logs")
    assert "s3cret" not in str([job, result, files, logs])


async def test_a_key_that_the_model_repeats_in_an_error_is_masked(server: Evaluator) -> None:
    async def repeat_key(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, text=f"{request.headers['Authorization']} is no key of ours")

    server.model.answer = repeat_key
    dataset = server.dataset("quiz.json", [{"question": "q", "answer": "a"}])
    job = await server.run(chat_config(dataset), model_target(api_key="s3cret-key"), skip_checks=True)
    assert job["status"] == "failed"
    logs = await archive(server, f"jobs/{job['id']}/logs")
    assert "s3cret" not in str([job, logs])


async def test_secrets_in_a_result_are_not_kept(server: Evaluator) -> None:
    body = {"job": "eval-elsewhere", "tasks": {"qa": {"data": {"judge": {"api_key": "s3cret"}}}}}
    created = await server.create("results", body)
    assert created["tasks"]["qa"]["data"] == {"judge": {"api_key": "******"}}
    assert b"s3cret" not in b"".join(file.read_bytes() for file in server.data.glob("evaluator.db*"))


def test_samples_of_any_task_stay_in_their_directory(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "jobs")
    with artifacts.of_run("eval-1") as run:
        for task in ("..", "/etc/passwd", "a" * 300):
            run.sample(task, {"x": 1})
    written = [path.relative_to(tmp_path / "jobs" / "eval-1") for path in artifacts.sample_files("eval-1")]
    assert len(written) == 3
    assert {path.parent.name for path in written} == {"samples"}


async def test_a_restart_keeps_results(tmp_path: Path, model: FakeModel) -> None:
    async with evaluator(tmp_path, model) as server:
        created = await server.create("results", {"job": "eval-elsewhere"})
    async with evaluator(tmp_path, model) as server:
        assert await server.get(f"results/{created['id']}") == created


async def test_a_result_holds_the_first_samples_up_to_sixteen_mebibytes(server: Evaluator) -> None:
    rows = [{"x": "1", "padding": "x" * 2**20} for _ in range(20)]
    config = data_config(string_check("{{item.x}}", "equals", "1"))
    dataset = {"type": "dataset", "dataset": server.dataset("large.json", rows)}
    job = await server.run(config, dataset)
    result = await server.get(f"jobs/{job['id']}/results")

    assert result["tasks"]["qa"]["data"]["samples_total"] == 20
    assert len(result["tasks"]["qa"]["data"]["samples"]) == 15
