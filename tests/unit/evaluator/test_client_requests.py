"""What each method sends, and what it reads in the answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from nemo_eval_operator.evaluator.model import JobStatus, RemoteJob
from nemo_eval_operator.json_types import JsonObject
from tests.unit.evaluator.exchanges import CALLS, CONFIG, DELETED, JOB, RESULTS
from tests.unit.evaluator.scripted import Scripted, answering, answering_raw, sent

CONFIG_BODY: JsonObject = {
    "type": "custom",
    "tasks": {"qa": {"params": {"template": "{{item.question | tojson}}"}}},
}
JOB_BODY: JsonObject = {"config": "team-a/qa", "custom_fields": {"k8s-uid": "u-1", "k8s-attempt": "1"}}


def received(evaluator: Scripted) -> tuple[str, str, object]:
    request = evaluator.only_request
    return request.method, request.url.raw_path.decode(), sent(request)


async def test_create_config() -> None:
    evaluator = answering(201, CONFIG)
    config = await evaluator.client.create_config(CONFIG_BODY)
    assert received(evaluator) == ("POST", "/v1/evaluation/configs", CONFIG_BODY)
    assert (config.namespace, config.name, config.id) == ("team-a", "gsm8k-chat", CONFIG["id"])
    assert config.custom_fields == {"k8s-uid": "u-1"}
    assert config.document == CONFIG


async def test_get_config() -> None:
    evaluator = answering(200, CONFIG)
    config = await evaluator.client.get_config("team-a", "gsm8k-chat")
    assert received(evaluator) == ("GET", "/v1/evaluation/configs/team-a/gsm8k-chat", None)
    assert config.document == CONFIG


async def test_update_config_sends_nulls_which_remove_keys() -> None:
    evaluator = answering(200, CONFIG)
    await evaluator.client.update_config("team-a", "gsm8k-chat", {"params": {"top_p": None}})
    path = "/v1/evaluation/configs/team-a/gsm8k-chat"
    assert received(evaluator) == ("PATCH", path, {"params": {"top_p": None}})


@pytest.mark.parametrize("evaluator", [answering(200, DELETED), answering_raw(b"", 204)])
async def test_delete_config_takes_any_success(evaluator: Scripted) -> None:
    await evaluator.client.delete_config("team-a", "qa")
    assert received(evaluator) == ("DELETE", "/v1/evaluation/configs/team-a/qa", None)


@pytest.mark.parametrize("code", [200, 201])
async def test_create_job(code: int) -> None:
    evaluator = answering(code, JOB)
    job = await evaluator.client.create_job(JOB_BODY)
    assert received(evaluator) == ("POST", "/v1/evaluation/jobs", JOB_BODY)
    assert (job.id, job.status) == ("eval-WF5xprkaQpjTNZLpsNb1Y1", "created")


async def test_get_job() -> None:
    evaluator = answering(200, JOB | {"custom_fields": {"k8s-uid": "u-1"}})
    job = await evaluator.client.get_job("eval-1")
    assert received(evaluator) == ("GET", "/v1/evaluation/jobs/eval-1", None)
    assert job.custom_fields == {"k8s-uid": "u-1"}


async def test_check_asks_for_one_job_whatever_is_in_it() -> None:
    evaluator = answering(200, {"data": [{"id": {"not": "an id"}}]})
    await evaluator.client.check()
    assert received(evaluator) == ("GET", "/v1/evaluation/jobs?page=1&page_size=1", None)


@pytest.mark.parametrize("evaluator", [answering(200, JOB), answering_raw(b"", 204), answering_raw(b"ok")])
async def test_cancel_sends_an_empty_object_and_reads_only_the_code(evaluator: Scripted) -> None:
    await evaluator.client.cancel_job("eval-1")
    assert received(evaluator) == ("POST", "/v1/evaluation/jobs/eval-1/cancel", {})


@pytest.mark.parametrize("evaluator", [answering(200, {"message": "deleted"}), answering_raw(b"", 204)])
async def test_delete_job_takes_any_success(evaluator: Scripted) -> None:
    await evaluator.client.delete_job("eval-1")
    assert received(evaluator) == ("DELETE", "/v1/evaluation/jobs/eval-1", None)


async def test_get_results_keeps_the_whole_document() -> None:
    document = RESULTS | {"a newer field": [1, None]}
    evaluator = answering(200, document)
    results = await evaluator.client.get_results("eval-T2s")
    assert received(evaluator) == ("GET", "/v1/evaluation/jobs/eval-T2s/results", None)
    assert results.document == document
    assert (results.job, results.tasks, results.groups) == ("eval-T2s", RESULTS["tasks"], {})


async def test_a_field_named_document_does_not_replace_the_document() -> None:
    document = RESULTS | {"document": "theirs"}
    assert (await answering(200, document).client.get_results("eval-T2s")).document == document


@pytest.mark.parametrize(
    ("part", "quoted"),
    [
        ("team a", "team%20a"),
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("what?#x", "what%3F%23x"),
        ("café", "caf%C3%A9"),
        ("a%2Fb", "a%252Fb"),
    ],
)
async def test_a_name_stays_one_segment_of_the_path(part: str, quoted: str) -> None:
    evaluator = answering(200, CONFIG)
    await evaluator.client.get_config(part, part)
    assert received(evaluator)[1] == f"/v1/evaluation/configs/{quoted}/{quoted}"
    evaluator = answering(200, JOB)
    await evaluator.client.get_job(part)
    assert received(evaluator)[1] == f"/v1/evaluation/jobs/{quoted}"


@pytest.mark.parametrize("part", [".", ".."])
async def test_a_name_of_dots_is_a_name_and_not_a_way_up(part: str) -> None:
    evaluator = answering(200, CONFIG)
    await evaluator.client.get_config(part, "jobs")
    assert evaluator.only_request.url.raw_path.decode().count("/") == 5
    assert received(evaluator)[1].startswith("/v1/evaluation/configs/")


async def test_a_base_url_keeps_its_own_path() -> None:
    evaluator = answering(200, JOB)
    evaluator.base_url = "https://gateway.test/nemo/"
    await evaluator.client.get_job("eval-1")
    assert str(evaluator.only_request.url) == "https://gateway.test/nemo/v1/evaluation/jobs/eval-1"


@pytest.mark.parametrize("name", CALLS)
async def test_no_call_is_more_than_one_request(name: str) -> None:
    page = {"data": [], "tasks": {}, "job": "eval-1"}
    evaluator = answering(200, JOB | {"name": "qa"} | page)
    await CALLS[name](evaluator.client)
    assert len(evaluator.requests) == 1


@pytest.mark.parametrize(
    ("wire", "time"),
    [
        ("2025-07-08T19:40:19.984771", datetime(2025, 7, 8, 19, 40, 19, 984771, tzinfo=UTC)),
        ("2025-07-08T19:40:19", datetime(2025, 7, 8, 19, 40, 19, tzinfo=UTC)),
        ("2025-07-08T19:40:19Z", datetime(2025, 7, 8, 19, 40, 19, tzinfo=UTC)),
        ("2025-07-08T21:40:19+02:00", datetime(2025, 7, 8, 19, 40, 19, tzinfo=UTC)),
        (None, None),
        # Go's zero time, and times that no zone's offset can be added to.
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-12:00", None),
    ],
)
async def test_a_time_is_utc_and_an_impossible_one_none(wire: str | None, time: datetime | None) -> None:
    job = await answering(200, JOB | {"created_at": wire}).client.get_job("eval-1")
    assert job.created_at == time
    assert time is None or (job.created_at and job.created_at.utcoffset() == timedelta(0))


async def test_the_filter_of_a_list_is_utc_without_a_zone() -> None:
    evaluator = answering(200, {"data": []})
    since = datetime(2025, 7, 8, 21, 40, 19, 5, tzinfo=timezone(timedelta(hours=2)))
    assert [job async for job in evaluator.client.list_jobs(created_since=since, status="running")] == []
    assert dict(evaluator.only_request.url.params) == {
        "page": "1",
        "page_size": "100",
        "sort": "-created_at",
        "filter[created_at][gte]": "2025-07-08T19:40:19.000005",
        "filter[status]": "running",
    }


async def test_nulls_and_gaps_are_read_as_nothing() -> None:
    nulls = {"id": "eval-1", "status": "running", "status_details": None, "custom_fields": None}
    job = await answering(200, nulls).client.get_job("eval-1")
    assert job == await answering(200, {"id": "eval-1", "status": "running"}).client.get_job("eval-1")
    assert (job.custom_fields, job.status_details.progress) == ({}, None)
    details = {"message": None, "progress": None, "samples_processed": None, "task_status": None}
    assert job == await answering(200, nulls | {"status_details": details}).client.get_job("eval-1")
    results = await answering(200, {"job": "x", "tasks": None, "groups": None}).client.get_results("x")
    assert (results.tasks, results.groups) == ({}, {})
    config = await answering(200, {"name": "qa", "custom_fields": None}).client.get_config("d", "qa")
    assert (config.namespace, config.id, config.custom_fields) == ("default", None, {})


async def test_status_details_as_recorded() -> None:
    details = {
        "message": "Job completed successfully.",
        "task_status": {"qa": "completed"},
        "progress": 100.0,
        "samples_processed": 794,
    }
    job = await answering(200, JOB | {"status": "completed", "status_details": details}).client.get_job("x")
    assert (job.status_details.progress, job.status_details.samples_processed) == (100.0, 794)
    assert job.readable_message == "Job completed successfully."
    assert job.is_terminal


@pytest.mark.parametrize(
    ("status", "terminal"),
    [
        ("created", False),
        ("pending", False),
        ("running", False),
        ("cancelling", False),
        ("ready", False),
        ("unknown", False),
        ("UNAVAILABLE", False),
        ("a word of tomorrow", False),
        ("cancelled", True),
        ("failed", True),
        ("completed", True),
    ],
)
def test_only_three_states_end_a_job(status: str, terminal: bool) -> None:
    assert RemoteJob(id="eval-1", status=status).is_terminal is terminal
    assert JobStatus.is_terminal(status) is terminal
