"""A job on a list is what a GET of it shows, although most of its document is not kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nemo_eval_operator.evaluator.http import EvaluatorClient, ListedJob, listing
from nemo_eval_operator.evaluator.model import JobState, Malformed, RemoteJob
from tests.corpus.replies import REPLIES
from tests.unit.evaluator.exchanges import JOB
from tests.unit.evaluator.scripted import answering, answering_raw

READABLE = {
    reply.name: reply.body for reply in REPLIES if reply.call == "get_job" and reply.error is None
} | {
    f"a text under {key}": b'{"id": "eval-1", "status": "failed", "%s": {"detail": "out of memory"}}'
    % key.encode()
    for key in ("message", "error", "detail", "error_details", "msg")
}


async def listed(client: EvaluatorClient) -> list[ListedJob]:
    return [job async for job in client.list_jobs()]


def page(*documents: bytes) -> bytes:
    return b'{"data": [%s], "pagination": {"page": 1, "total_pages": 1}}' % b",".join(documents)


@pytest.mark.parametrize("body", READABLE.values(), ids=READABLE)
async def test_a_job_is_the_same_on_a_list_and_alone(body: bytes) -> None:
    alone = await answering_raw(body).client.get_job("eval-1")
    (on_list,) = await listed(answering_raw(page(body)).client)
    assert (on_list.id, on_list.state, on_list.read()) == (alone.id, alone.state, alone)


@pytest.mark.parametrize("number", [True, 1, 1.0, 0, False, "1", [1], {"a": 1}, None, 10**400, -1, 5.5])
async def test_a_state_has_what_a_reader_of_the_whole_job_finds(number: Any) -> None:
    details = {"progress": number, "samples_processed": number}
    document = JOB | {"status_details": details, "message": "beside the details"}
    (job,) = await listed(answering(200, {"data": [document], "pagination": {"total_pages": 1}}).client)
    read = job.read().status_details
    assert job.state == JobState(JOB["status"], read.progress, read.samples_processed)
    assert [type(value) for value in job.state] == [str, type(read.progress), type(read.samples_processed)]


async def test_of_a_job_on_a_list_only_what_is_read_is_kept() -> None:
    document = JOB | {"config": {"rows": [{"a": 1}] * 100}, "target": {"type": "rows"}, "updated_at": "now"}
    (job,) = await listed(answering(200, {"data": [document], "pagination": {"total_pages": 1}}).client)
    assert job.document.keys() <= {*RemoteJob.model_fields, "message", "error", "detail"}
    assert job.document.keys() >= {"id", "status"}


@pytest.mark.parametrize(
    "ignored",
    [b"[1,]", b'{"a": 01}', b'"\\x"', b'"\xff"', b"{'a': 1}", b"[" * 300 + b"]" * 300, b"9" * 10_000],
)
async def test_a_page_is_checked_to_be_json_where_it_is_not_kept_too(ignored: bytes) -> None:
    secret = b'"the text of a row"'
    body = page(b'{"id": "eval-1", "config": [%s, %s]}' % (secret, ignored))
    with pytest.raises(Malformed, match=r"answered 200, but body: .* at line 1 column \d+$") as refused:
        await listed(answering_raw(body).client)
    assert "row" not in refused.value.detail


async def test_ids_that_hold_a_credential_only_together_are_no_credential() -> None:
    evaluator = answering(200, {"data": [JOB | {"id": "token-7d"}, JOB | {"id": "21a"}]})
    evaluator.known.use(["token-7d21a"])
    assert [job.id for job in await listed(evaluator.client)] == ["token-7d", "21a"]


async def test_a_credential_in_one_of_many_ids_is_found() -> None:
    documents = [JOB | {"id": f"eval-{number}"} for number in range(99)]
    evaluator = answering(200, {"data": [*documents, JOB | {"id": "x-token-7d21a-y"}]})
    evaluator.known.use(["token-7d21a"])
    with pytest.raises(Malformed, match="id: it contains a credential"):
        await listed(evaluator.client)


async def test_others_run_while_a_large_page_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "SLICE_JOBS", 10)
    documents = [JOB | {"id": f"eval-{number}"} for number in range(100)]
    client = answering(200, {"data": documents, "pagination": {"total_pages": 1}}).client
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    at = [turns async for _ in client.list_jobs()]
    counting.cancel()
    assert at[-1] - at[0] >= 9
