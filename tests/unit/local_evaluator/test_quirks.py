"""Each quirk, by the difference that it makes to a client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from nemo_local_evaluator.wire.errors import ContradictingQuirks
from nemo_local_evaluator.wire.quirks import Quirk, checked
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

CONFIG = {"type": "custom", "name": "c"}
RIGHT = data_config(string_check("{{item.x}}", "equals", "1"))
ROWS = rows_target({"x": "1"})

Quirky = Callable[..., AbstractAsyncContextManager[Evaluator]]


@pytest.fixture
def quirky(tmp_path: Path, model: FakeModel) -> Quirky:
    @asynccontextmanager
    async def start(*quirks: Quirk) -> AsyncIterator[Evaluator]:
        async with evaluator(tmp_path / "-".join(quirks), model, quirks=frozenset(quirks)) as server:
            yield server

    return start


class Held:
    """A model that answers once it is let; three answers are all that it is asked for."""

    def __init__(self, model: FakeModel) -> None:
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.done = asyncio.Event()
        self._answered = 0
        model.answer = self

    async def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked.set()
        await self.open.wait()
        self._answered += 1
        if self._answered == 3:
            self.done.set()
        return chat_reply("yes")


async def send(server: Evaluator, method: str, path: str, body: object = None) -> httpx.Response:
    return await server.http.request(method, f"/v1/evaluation/{path}", json=body)


async def asked_job(server: Evaluator, held: Held) -> str:
    """A job whose model has been asked its first question of three."""
    dataset = server.dataset("quiz.json", [{"question": "q", "answer": "yes"}] * 3)
    job = await server.create(
        "jobs", {"config": chat_config(dataset, parallelism=1), "target": model_target()}
    )
    await held.asked.wait()
    return str(job["id"])


async def names(server: Evaluator, query: str) -> list[str]:
    return [one["name"] for one in (await server.get(f"configs?{query}"))["data"]]


async def with_configs(server: Evaluator, count: int) -> None:
    for number in range(count):
        await server.create("configs", CONFIG | {"name": f"c{number}"})


async def test_filters_ignored(quirky: Quirky) -> None:
    async with quirky(Quirk.FILTERS_IGNORED) as server:
        await with_configs(server, 2)
        page = await server.get("configs?filter[name]=c0&filter[colour]=red")
        assert (len(page["data"]), page["filter"]) == (2, {})
        assert await names(server, "search[name]=c0") == ["c0"]


async def test_undocumented_filters_ignored(quirky: Quirky) -> None:
    async with quirky(Quirk.UNDOCUMENTED_FILTERS_IGNORED) as server:
        job = await server.run(RIGHT, ROWS)

        async def found(query: str) -> list[str]:
            return [one["id"] for one in (await server.get(f"jobs?{query}"))["data"]]

        assert await found("filter[custom_fields][uid]=7&filter[project]=p") == [job["id"]]
        assert await found("filter[status]=failed") == []
        await with_configs(server, 1)
        assert await names(server, "filter[project]=p") == []


async def test_sort_ignored(quirky: Quirky) -> None:
    async with quirky(Quirk.SORT_IGNORED) as server:
        await with_configs(server, 2)
        assert await names(server, "sort=created_at") == ["c1", "c0"]


async def test_oldest_first(quirky: Quirky) -> None:
    async with quirky(Quirk.OLDEST_FIRST) as server:
        await with_configs(server, 2)
        assert await names(server, "") == ["c0", "c1"]
        assert await names(server, "sort=-created_at") == ["c1", "c0"]


async def test_page_size_capped(quirky: Quirky) -> None:
    async with quirky(Quirk.PAGE_SIZE_CAPPED) as server:
        await with_configs(server, 11)
        page = await server.get("configs", page_size=100)
        assert len(page["data"]) == 10
        assert (page["pagination"]["page_size"], page["pagination"]["total_pages"]) == (10, 2)
        assert len(await names(server, "page_size=3")) == 3
        await server.refused(422, "GET", "configs?page_size=many")


async def test_create_200(quirky: Quirky) -> None:
    async with quirky(Quirk.CREATE_200) as server:
        job = {"config": RIGHT, "target": ROWS}
        for path, body in (("configs", CONFIG), ("targets", ROWS), ("jobs", job), ("results", {"job": "x"})):
            reply = await send(server, "POST", path, body)
            assert (reply.status_code, "id" in reply.json()) == (200, True), path


@pytest.mark.parametrize(
    ("quirk", "status"), [(Quirk.DUPLICATE_400, 400), (Quirk.DUPLICATE_422, 422)], ids=str
)
async def test_duplicates(quirky: Quirky, quirk: Quirk, status: int) -> None:
    async with quirky(quirk) as server:
        await with_configs(server, 1)
        assert "already exists" in await server.refused(status, "POST", "configs", CONFIG | {"name": "c0"})


async def test_launch_refused_422(quirky: Quirky) -> None:
    async with quirky(Quirk.LAUNCH_REFUSED_422) as server:
        body = {"config": {"type": "custom"}, "target": ROWS}
        assert (await server.refused(422, "POST", "jobs", body)).startswith("Job cannot be launched")


async def test_patch_405(quirky: Quirky) -> None:
    async with quirky(Quirk.PATCH_405) as server:
        await with_configs(server, 1)
        patch = {"description": "new"}
        assert await server.refused(405, "PATCH", "configs/default/c0", patch) == "Method Not Allowed"
        assert "description" not in await server.get("configs/default/c0")


@pytest.mark.parametrize(
    ("quirk", "status"),
    [(Quirk.CANCEL_404, 404), (Quirk.CANCEL_405, 405), (Quirk.CANCEL_501, 501)],
    ids=str,
)
async def test_cancel_that_is_missing(quirky: Quirky, model: FakeModel, quirk: Quirk, status: int) -> None:
    held = Held(model)
    async with quirky(quirk) as server:
        job_id = await asked_job(server, held)
        await server.refused(status, "POST", f"jobs/{job_id}/cancel")
        assert (await server.get(f"jobs/{job_id}"))["status"] == "running"
        held.open.set()
        assert (await server.finished(job_id))["status"] == "completed"


@pytest.mark.parametrize(
    ("quirk", "status", "body"),
    [(Quirk.CANCEL_204, 204, b""), (Quirk.CANCEL_EMPTY, 200, b"{}")],
    ids=str,
)
async def test_cancel_with_an_empty_response(
    quirky: Quirky, model: FakeModel, quirk: Quirk, status: int, body: bytes
) -> None:
    held = Held(model)
    async with quirky(quirk) as server:
        job_id = await asked_job(server, held)
        reply = await send(server, "POST", f"jobs/{job_id}/cancel", {})
        assert (reply.status_code, reply.content) == (status, body)
        assert (await server.finished(job_id))["status"] == "cancelled"
        assert "not found" in await server.refused(404, "POST", "jobs/eval-none/cancel")


async def test_cancel_finished_409(quirky: Quirky) -> None:
    async with quirky(Quirk.CANCEL_FINISHED_409) as server:
        job = await server.run(RIGHT, ROWS)
        assert "'completed'" in await server.refused(409, "POST", f"jobs/{job['id']}/cancel")


async def test_results_from_the_start(quirky: Quirky, model: FakeModel) -> None:
    held = Held(model)
    async with quirky(Quirk.RESULTS_FROM_THE_START) as server:
        job_id = await asked_job(server, held)
        early = await server.get(f"jobs/{job_id}/results")
        assert (early["job"], early["tasks"], early["groups"]) == (job_id, {}, {})
        await server.refused(404, "GET", f"jobs/{job_id}/download-results")
        held.open.set()
        job = await server.finished(job_id)
        late = await server.get(f"jobs/{job_id}/results")
        assert late["tasks"].keys() == {"qa"}
        assert [late[key] for key in ("id", "created_at")] == [early[key] for key in ("id", "created_at")]
        assert job["result"] == late["id"]
        assert len((await server.get("results"))["data"]) == 1


async def test_delete_job_204(quirky: Quirky) -> None:
    async with quirky(Quirk.DELETE_JOB_204) as server:
        job = await server.run(RIGHT, ROWS)
        reply = await send(server, "DELETE", f"jobs/{job['id']}")
        assert (reply.status_code, reply.content) == (204, b"")
        assert "not found" in await server.refused(404, "DELETE", f"jobs/{job['id']}")


async def test_delete_job_goes_on(quirky: Quirky, model: FakeModel) -> None:
    held = Held(model)
    async with quirky(Quirk.DELETE_JOB_GOES_ON) as server:
        job_id = await asked_job(server, held)
        assert (await send(server, "DELETE", f"jobs/{job_id}")).status_code == 200
        await server.refused(404, "GET", f"jobs/{job_id}")
        assert (await server.get("jobs"))["data"] == []
        held.open.set()
        async with asyncio.timeout(10):
            await held.done.wait()
        await server.refused(404, "GET", f"jobs/{job_id}/results")
        assert (await server.run(RIGHT, ROWS))["status"] == "completed"


async def test_delete_in_use_allowed(quirky: Quirky, model: FakeModel) -> None:
    held = Held(model)
    async with quirky(Quirk.DELETE_IN_USE_ALLOWED) as server:
        await server.create("targets", model_target() | {"name": "t"})
        dataset = server.dataset("quiz.json", [{"question": "q", "answer": "yes"}])
        job = await server.create("jobs", {"config": chat_config(dataset), "target": "default/t"})
        await held.asked.wait()
        assert (await send(server, "DELETE", "targets/default/t")).status_code == 200
        held.open.set()
        assert (await server.finished(job["id"]))["status"] == "completed"


async def test_delete_used_refused(quirky: Quirky) -> None:
    async with quirky(Quirk.DELETE_USED_REFUSED) as server:
        await server.create("configs", RIGHT | {"name": "c"})
        job = await server.create("jobs", {"config": "default/c", "target": ROWS})
        await server.finished(job["id"])
        assert job["id"] in await server.refused(409, "DELETE", "configs/default/c")
        await send(server, "DELETE", f"jobs/{job['id']}")
        assert (await send(server, "DELETE", "configs/default/c")).status_code == 200


@pytest.mark.parametrize(
    "quirks",
    [
        (Quirk.CANCEL_404, Quirk.CANCEL_405),
        (Quirk.CANCEL_501, Quirk.CANCEL_FINISHED_409),
        (Quirk.CANCEL_204, Quirk.CANCEL_EMPTY),
        (Quirk.DUPLICATE_400, Quirk.DUPLICATE_422),
        (Quirk.FILTERS_IGNORED, Quirk.UNDOCUMENTED_FILTERS_IGNORED),
        (Quirk.DELETE_IN_USE_ALLOWED, Quirk.DELETE_USED_REFUSED),
    ],
)
def test_quirks_that_contradict_each_other_are_refused(quirks: tuple[Quirk, ...]) -> None:
    with pytest.raises(ContradictingQuirks, match="contradict"):
        checked(quirks)


def test_quirks_that_go_together_are_taken() -> None:
    quirks = {Quirk.CANCEL_204, Quirk.CANCEL_FINISHED_409, Quirk.SORT_IGNORED, Quirk.CREATE_200}
    assert checked(quirks) == quirks
