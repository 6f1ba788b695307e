"""What an answer may cost: little is kept of it, and nothing in it holds up the event loop for long."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from typing_extensions import override

from nemo_eval_operator.evaluator.http import bodies, client, limits
from tests.unit.evaluator.exchanges import CONFIG, JOB, RESULTS
from tests.unit.evaluator.scripted import Scripted, answering

MARK = {"k8s-uid": "u-1", "k8s-namespace": "team-a", "k8s-attempt": "1"}
FIELDS = MARK | {"team": "search", "rows": [[] for _ in range(1_000)], "k8s-unknown": "x"}


async def test_of_custom_fields_only_the_operators_marks_are_kept() -> None:
    job = await answering(200, JOB | {"custom_fields": FIELDS}).client.get_job("eval-1")
    config = await answering(200, CONFIG | {"custom_fields": FIELDS}).client.get_config("team-a", "qa")
    (listed,) = [
        job async for job in answering(200, {"data": [JOB | {"custom_fields": FIELDS}]}).client.list_jobs()
    ]
    assert job.custom_fields == listed.read().custom_fields == config.custom_fields == MARK
    assert config.document["custom_fields"] == FIELDS, "all of it is compared with what was written"


@pytest.mark.parametrize("value", [[1], {"a": 1}, 7, True, "x" * 2_000])
async def test_a_mark_of_another_form_stays_a_mark_and_short(value: object) -> None:
    """A config that has one is not taken for a config without marks."""
    fields = {"k8s-namespace": value, "k8s-uid": None}
    config = await answering(200, CONFIG | {"custom_fields": fields}).client.get_config("team-a", "qa")
    assert [*config.custom_fields] == ["k8s-namespace"]
    kept = config.custom_fields["k8s-namespace"]
    assert isinstance(kept, str)
    assert 0 < len(kept) <= 512


async def test_a_large_page_is_read_while_others_run() -> None:
    jobs = [{"id": f"eval-{number}"} for number in range(20_000)]
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    evaluator = answering(200, {"data": jobs, "pagination": {"total_pages": 1}})
    other = asyncio.create_task(tick())
    found = [job.id async for job in evaluator.client.list_jobs()]
    other.cancel()
    assert found == [job["id"] for job in jobs]
    assert ticks >= 20


@pytest.mark.parametrize("item", [{"id": None}, {"id": "eval-1"}])
async def test_marks_and_errors_are_found_in_every_slice_of_a_page(item: dict[str, Any]) -> None:
    jobs = [item | {"custom_fields": {"k8s-uid": f"u-{number}"}} for number in range(3_000)]
    seen: set[object] = set()

    def wanted(fields: dict[str, Any]) -> bool:
        seen.add(fields.get("k8s-uid"))
        return False

    evaluator = answering(200, {"data": jobs, "pagination": {"total_pages": 1}})
    found = [job async for job in evaluator.client.list_jobs(wanted=wanted)]
    assert (len(found), len(seen)) == ((0, 3_000) if item["id"] is None else (1, 0))


PIECES = (rb"\ud83d", rb"\ude00", rb"\uDBff", b"\\\\", rb"\n", "é".encode(), rb"\u00e9")


def test_halves_of_characters_are_replaced_and_nothing_else_is() -> None:
    """Compared with Python's own parser, which leaves halves as they are."""
    for pieces in itertools.product(PIECES, repeat=4):
        content = b'"' + b"".join(pieces) + b'"'
        whole = json.loads(content).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        expected = "".join("\ufffd" if 0xD800 <= ord(one) < 0xE000 else one for one in whole)
        assert bodies.parsed(content, 10) == expected, content


@pytest.mark.parametrize(
    "content", [b'"\\ud800 \xff\xff"', b'"\\ud800\xff"', b'"\\ud8zz"', b'"\\ud83d\\udezz"']
)
def test_what_is_not_json_does_not_become_json(content: bytes) -> None:
    with pytest.raises(bodies.Unreadable):
        bodies.parsed(content, 10)


async def test_results_keep_bounds_of_their_own() -> None:
    tasks: dict[str, Any] = {"qa": {"rows": [[] for _ in range(200_000)]}}
    results = await answering(200, RESULTS | {"tasks": tasks}).client.get_results("eval-T2s")
    assert results.tasks == tasks


async def test_of_a_job_without_end_no_more_than_its_bound_is_read() -> None:
    sent = 0

    class Endless(httpx.AsyncByteStream):
        @override
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 65_536
                yield b"x" * 65_536

    evaluator = Scripted(lambda _: httpx.Response(200, stream=Endless()))
    with pytest.raises(Exception, match="more than 3 MiB"):
        await evaluator.client.get_job("eval-1")
    assert sent <= 3 * 1024**2 + 2 * 65_536


def test_the_smallest_page_has_room_for_jobs_as_large_as_they_may_be() -> None:
    """Else a look-up would never find a job that can be followed."""
    jobs, page, one = client.PAGE_SIZES[-1], limits.PAGE_BOUNDS, limits.ONE_BOUNDS
    assert jobs * one.size < 0.99 * page.size
    assert jobs * one.parts < 0.99 * page.parts
