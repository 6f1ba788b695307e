"""Pages, order and filters of the lists."""

from typing import Any

import pytest

from tests.unit.local_evaluator.harness import Evaluator, data_config, model_target, rows_target

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
        "filter[namespace]=x&filter[namespace]=y",
        "filter[na%22me]=x",
        "filter[namespace",
        f"filter[namespace]={'x' * 1001}",
        "search[colour]=red",
        "search[created_at]=2020-01-01",
        "search[created_at][before]=2020-01-01",
        "search[created_at][start]=soon",
        "sort=name",
        "page=0",
    ],
)
async def test_a_query_not_understood_is_refused(server: Evaluator, query: str) -> None:
    detail = await server.refused(422, "GET", f"configs?{query}")
    assert detail[0]["loc"][0] == "query"


@pytest.mark.parametrize(
    ("searches", "expected"),
    [
        ({"search[name]": "ALPH"}, ["alpha"]),
        ({"search[name]": "alpha,bet"}, ["beta", "alpha"]),
        ({"search[name]": "a", "search[type]": "gsm"}, ["beta"]),
        ({"search[tasks]": "recall"}, ["alpha"]),
        ({"search[tasks][recall][type]": "dat"}, ["alpha"]),
        ({"search[params]": "20"}, ["beta"]),
        ({"search[description]": "été"}, ["beta"]),
        ({"search[custom_fields]": "été"}, ["alpha"]),
        ({"search[custom_fields][season]": "été"}, ["alpha"]),
        ({"search[name]": "%"}, []),
        ({"search[name]": "_"}, []),
        ({"search[name]": ""}, ["beta", "alpha"]),
        ({"search[created_at][start]": "2020-01-01T00:00:00"}, ["beta", "alpha"]),
        ({"search[updated_at][end]": "2020-01-01"}, []),
        ({"search[name]": "a", "filter[type]": "custom"}, ["alpha"]),
    ],
)
async def test_searches_find_substrings(
    server: Evaluator, searches: dict[str, str | int], expected: list[str]
) -> None:
    alpha = CONFIG | {"name": "alpha", "tasks": {"recall": {"type": "data"}}}
    await server.create("configs", alpha | {"custom_fields": {"season": "l'été"}})
    beta = {"type": "gsm8k", "name": "beta", "params": {"limit_samples": 200}}
    await server.create("configs", beta | {"description": "en été"})
    assert await names(server, **searches) == expected


async def test_repeated_searches_are_alternatives_and_are_echoed(server: Evaluator) -> None:
    for name in ("one", "two", "three"):
        await server.create("configs", CONFIG | {"name": name})
    page = await server.get("configs?search[name]=one&search[name]=two&search[created_at][start]=2020-01-01")
    assert [config["name"] for config in page["data"]] == ["two", "one"]
    assert page["search"] == {"name": "one,two", "created_at": {"start": "2020-01-01T00:00:00.000000"}}


async def test_no_search_reveals_a_secret(server: Evaluator) -> None:
    await server.create("targets", model_target(api_key="s3cret") | {"name": "t"})
    await server.create("configs", CONFIG | {"params": {"extra": {"hf_token": "s3cret"}}})
    job = {"config": CONFIG | {"tasks": {"qa": {"type": "data"}}}, "target": "default/t"}
    await server.create("jobs?skip_validation_checks=True", job)
    for path in (
        "targets?search[model]=s3c",
        "targets?search[model][api_endpoint][api_key]=s3c",
        "configs?search[params]=s3c",
        "jobs?search[target]=s3c",
        "jobs?filter[target][model]=s3cret",
        "jobs?search[target][model][api_endpoint][api_key]=s3c",
    ):
        assert (await server.get(path))["data"] == [], path
    assert len((await server.get("targets?search[model][api_endpoint][api_key]=*"))["data"]) == 1


async def test_targets_and_their_jobs_are_found_by_the_model(server: Evaluator) -> None:
    await server.create("targets", {"type": "model", "model": "meta/llama", "name": "named"})
    await server.create("targets", model_target() | {"name": "endpoint"})
    for model, expected in (("meta/llama", "named"), ("tiny", "endpoint")):
        page = await server.get("targets", **{"filter[model]": model})
        assert [target["name"] for target in page["data"]] == [expected]
        job = {"config": CONFIG, "target": f"default/{expected}"}
        created = await server.create("jobs?skip_validation_checks=True", job)
        page = await server.get("jobs", **{"filter[target][model]": model})
        assert [one["id"] for one in page["data"]] == [created["id"]]


async def test_jobs_are_found_by_what_they_were_made_of(server: Evaluator) -> None:
    await server.create("targets", rows_target({"x": 1}) | {"name": "t", "namespace": "team"})
    config = data_config() | {"name": "inline"}
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
    for filters in (
        {"filter[config]": "default/inline"},
        {"filter[status]": "completed"},
        {"filter[config][name]": "inline", "filter[config][type]": "custom"},
        {"filter[config][created_at][gte]": "2020-01-01", "filter[target][type]": "rows"},
        {"filter[config][created_at][neq]": "2020-01-01", "filter[status]": "completed"},
        {"search[config]": "default/inl"},
        {"search[status]": "running,complet"},
        {"search[status_details]": "successfully"},
        {"search[target][rows]": '"x"'},
    ):
        assert await found(**filters) == [other["id"], mine["id"]]
    assert await found(**{"filter[config][created_at][neq]": mine["config"]["created_at"]}) == [other["id"]]
    assert await found(**{"filter[target][name]": "t"}) == [mine["id"]]
    for filters in ({"filter[status]": "failed"}, {"search[result]": "nowhere"}):
        assert await found(**filters) == []


@pytest.mark.parametrize("listed", ["configs", "targets", "jobs", "results"])
async def test_more_conditions_than_sqlite_takes_are_refused(server: Evaluator, listed: str) -> None:
    words = {"search[namespace]": ",".join("a" * 400)}
    fields = {f"filter[custom_fields][k{number}]": "v" for number in range(600)}
    for query in (words, fields):
        response = await server.http.get(f"/v1/evaluation/{listed}", params=query)
        assert response.status_code == 422, response.text
