"""Pages, order and filters of the lists."""

from typing import Any

import pytest

from tests.unit.local_evaluator.harness import Evaluator, rows_target

CONFIG = {"type": "custom"}


async def names(server: Evaluator, **params: str | int) -> list[str]:
    return [config["name"] for config in (await server.get("configs", **params))["data"]]


async def test_pages_tell_their_place(server: Evaluator) -> None:
    for number in range(5):
        await server.create("configs", CONFIG | {"name": f"c{number}"})
    page = await server.get("configs", page=2, page_size=2)
    assert [config["name"] for config in page["data"]] == ["c2", "c1"]
    del page["data"]
    assert page == {
        "object": "list",
        "pagination": {
            "page": 2,
            "page_size": 2,
            "current_page_size": 2,
            "total_pages": 3,
            "total_results": 5,
        },
        "sort": "-created_at",
        "filter": {},
        "search": {},
    }
    assert await names(server, page=4, page_size=2) == []
    assert await names(server, sort="created_at", page_size=2) == ["c0", "c1"]
    assert (await server.get("configs", page_size=5000))["pagination"]["page_size"] == 1000


async def test_updated_at_sorts_by_the_last_change(server: Evaluator) -> None:
    for name in ("first", "second"):
        await server.create("configs", CONFIG | {"name": name})
    await server.http.patch("/v1/evaluation/configs/default/first", json={"description": "touched"})
    assert await names(server, sort="-updated_at") == ["first", "second"]
    assert await names(server, sort="updated_at") == ["second", "first"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"filter[namespace]": "blue"}, ["b", "a"]),
        ({"filter[namespace]": "blue", "filter[name]": "a"}, ["a"]),
        ({"filter[type]": "gsm8k"}, ["b"]),
        ({"filter[project]": "p1"}, ["c"]),
        ({"filter[custom_fields][uid]": "7"}, ["a"]),
        ({"filter[custom_fields][uid]": "8"}, []),
        ({"filter[custom_fields][flag]": "true"}, ["b"]),
        ({"filter[created_at][gte]": "2020-01-01T00:00:00"}, ["c", "b", "a"]),
        ({"filter[created_at][lt]": "2020-01-01T00:00:00Z"}, []),
        ({"filter[created_at][gt]": "2020-01-01", "filter[created_at][lte]": "2999-01-01"}, ["c", "b", "a"]),
        ({"filter[created_at][neq]": "2020-01-01"}, ["c", "b", "a"]),
        ({"filter[namespace]": "blue' OR 1=1 --"}, []),
    ],
)
async def test_filters_are_exact(
    server: Evaluator, filters: dict[str, str | int], expected: list[str]
) -> None:
    await server.create("configs", CONFIG | {"namespace": "blue", "name": "a", "custom_fields": {"uid": 7}})
    blue: dict[str, Any] = {"type": "gsm8k", "namespace": "blue", "name": "b"}
    await server.create("configs", blue | {"custom_fields": {"flag": True}})
    await server.create("configs", CONFIG | {"namespace": "red", "name": "c", "project": "p1"})
    assert await names(server, **filters) == expected


async def test_created_at_equals_itself_and_is_echoed(server: Evaluator) -> None:
    moment = (await server.create("configs", CONFIG))["created_at"]
    page = await server.get("configs", **{"filter[created_at][eq]": moment + "Z", "filter[type]": "custom"})
    assert len(page["data"]) == 1
    assert page["filter"] == {"created_at": {"eq": moment}, "type": "custom"}


@pytest.mark.parametrize(
    "query",
    [
        "filter[colour]=red",
        "filter[namespace][eq]=x",
        "filter[custom_fields]=x",
        "filter[created_at][gte]=soon",
        "filter[created_at][like]=2020",
        "filter=x",
        "search[name]=x",
        "sort=name",
        "page=0",
    ],
)
async def test_a_query_not_understood_is_refused(server: Evaluator, query: str) -> None:
    detail = await server.refused(422, "GET", f"configs?{query}")
    assert detail[0]["loc"][0] == "query"


async def test_jobs_are_found_by_what_they_were_made_of(server: Evaluator) -> None:
    await server.create("targets", rows_target({"x": 1}) | {"name": "t", "namespace": "team"})
    config = {"type": "custom", "name": "inline", "tasks": {"qa": {"type": "data"}}}
    body = {"config": config, "target": "team/t", "namespace": "team", "custom_fields": {"k8s-uid": "u-1"}}
    mine = await server.create("jobs", body)
    other = await server.create("jobs", {"config": config, "target": rows_target({"x": 2})})
    await server.finished(mine["id"])
    await server.finished(other["id"])

    async def found(**filters: str) -> list[str]:
        return [job["id"] for job in (await server.get("jobs", **filters))["data"]]

    for filters in (
        {"filter[target]": "team/t"},
        {"filter[namespace]": "team"},
        {"filter[custom_fields][k8s-uid]": "u-1"},
    ):
        assert await found(**filters) == [mine["id"]]
    for filters in ({"filter[config]": "default/inline"}, {"filter[status]": "completed"}):
        assert await found(**filters) == [other["id"], mine["id"]]
    assert await found(**{"filter[status]": "failed"}) == []
