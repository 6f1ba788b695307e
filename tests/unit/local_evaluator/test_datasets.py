"""Rows from files and over HTTP, and every way in which they may not come."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.local_evaluator.harness import (
    Evaluator,
    FakeModel,
    data_config,
    evaluator,
    model_target,
    rows_target,
    string_check,
)

MATCHES = string_check("{{item.x}}", "equals", "1")


async def count(server: Evaluator, dataset: object, **task: Any) -> int:
    scores = await server.scores(data_config(MATCHES, **task), {"type": "dataset", "dataset": dataset})
    return int(scores["string-check"]["stats"]["count"])


async def failure(server: Evaluator, dataset: object) -> str:
    target = {"type": "dataset", "dataset": dataset}
    job = await server.run(data_config(MATCHES), target, skip_checks=True)
    assert job["status"] == "failed"
    return str(job["status_details"]["message"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", '[{"x": 1}, {"x": 2}]'),
        ("rows.jsonl", '{"x": 1}\n\n{"x": "\u2028"}\n'),
        ("rows.csv", '\ufeffx,y\r\n1,"a\nb"\r\n2,c\r\n'),
    ],
)
async def test_formats_are_told_by_the_suffix(server: Evaluator, name: str, content: str) -> None:
    server.dataset(name, content)
    assert await count(server, {"files_url": f"file://{name}"}) == 2
    assert await count(server, {"files_url": name, "limit": 1}) == 1
    assert await count(server, f"file://{server.data / name}") == 2


async def test_the_smaller_limit_counts(server: Evaluator) -> None:
    config = data_config(MATCHES) | {"params": {"limit_samples": 2}}
    dataset = server.dataset("rows.json", [{"x": 1}] * 5)
    for limit, expected in ((1, 1), (4, 2)):
        scores = await server.scores(config, {"type": "dataset", "dataset": dataset | {"limit": limit}})
        assert scores["string-check"]["stats"]["count"] == expected
    scores = await server.scores(config, rows_target(*[{"x": 1}] * 3))
    assert scores["string-check"]["stats"]["count"] == 2


async def test_a_data_task_may_bring_its_own_dataset(server: Evaluator) -> None:
    config = data_config(MATCHES, dataset=server.dataset("rows.json", [{"x": 1}]))
    assert (await server.scores(config, model_target()))["string-check"]["value"] == 1.0
    assert server.model.requests == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.json", "[{]", "'rows.json' is not JSON"),
        ("rows.json", "{}", "is not a JSON array"),
        ("rows.json", '[{"x": NaN}]', "NaN is no value of JSON"),
        ("rows.json", "[]", "has no rows"),
        ("rows.json", '[{"x": 1}, 2]', "row 2 is int, not an object"),
        ("rows.jsonl", '{"x": 1}\n{"x"\n', "row 2 is not JSON"),
        ("rows.csv", "x,y\n1,2\n3\n", "row 2 does not have the columns of the header"),
        ("rows.csv", 'x\n"1\n', "row 1 is not CSV"),
        ("rows.txt", "x", "give its format"),
    ],
)
async def test_a_bad_file_is_told_with_its_row(
    server: Evaluator, name: str, content: str, message: str
) -> None:
    assert message in await failure(server, server.dataset(name, content))


async def test_a_format_may_be_given_and_must_be_known(server: Evaluator) -> None:
    dataset = server.dataset("rows.txt", "x\n1\n")
    assert await count(server, dataset | {"format": "CSV"}) == 1
    assert "is not one of json, jsonl, csv" in await failure(server, dataset | {"format": "parquet"})


async def test_other_encodings_are_refused(server: Evaluator) -> None:
    (server.data / "rows.csv").write_bytes("x\nä\n".encode("latin-1"))
    assert "is not UTF-8" in await failure(server, "file://rows.csv")


async def test_nothing_is_read_outside_the_allowed_directories(server: Evaluator, tmp_path: Path) -> None:
    (tmp_path / "away.json").symlink_to("/etc/hostname")
    (tmp_path / "folder.json").mkdir()
    for escape in (
        "file:///etc/passwd",
        "file://../secret.json",
        {"files_url": "../../x.json"},
        "file://away.json",
    ):
        assert "outside the directories" in await failure(server, escape)
    assert "is a directory" in await failure(server, "file://folder.json")
    for nonsense in ("file://%00.json", "file://" + "x" * 5000):
        assert "is no path" in await failure(server, nonsense)


async def test_the_database_is_no_dataset(server: Evaluator) -> None:
    for name in ("evaluator.db", "evaluator.db-wal"):
        assert "outside the directories" in await failure(
            server, {"files_url": f"file://{name}", "format": "csv"}
        )


async def test_allowed_paths_are_searched_in_order_instead_of_data(tmp_path: Path, model: FakeModel) -> None:
    first, second, data = (tmp_path / name for name in ("first", "second", "data"))
    for directory in (first, second, data):
        directory.mkdir()
    (second / "rows.json").write_text('[{"x": 1}]')
    (data / "mine.json").write_text('[{"x": 1}]')
    async with evaluator(data, model, allow_paths=(first, second)) as server:
        assert await count(server, "file://rows.json") == 1
        assert "does not exist" in await failure(server, "file://mine.json")
        assert "outside the directories" in await failure(server, f"file://{data}/mine.json")


async def test_datasets_may_be_downloaded(server: Evaluator) -> None:
    async def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/old.jsonl":
            return httpx.Response(301, headers={"Location": "/new.jsonl"})
        return httpx.Response(200, text='{"x": 1}\n')

    server.model.answer = serve
    assert await count(server, "https://data.test/old.jsonl") == 1


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.Response(404), "answered 404"),
        (httpx.Response(302, headers={"Location": "http://169.254.169.254/x"}), "redirects to another host"),
        (httpx.Response(302, headers={"Location": "/rows.json"}), "redirects too often"),
    ],
)
async def test_a_download_that_fails_is_told(
    server: Evaluator, response: httpx.Response, message: str
) -> None:
    async def serve(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(response.status_code, headers=response.headers)

    server.model.answer = serve
    assert message in await failure(server, "http://data.test/rows.json")


async def test_an_unreachable_download_is_told(server: Evaluator) -> None:
    async def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    server.model.answer = refuse
    assert "cannot be downloaded: refused" in await failure(server, "http://data.test/rows.json")


@pytest.mark.parametrize("url", ["hf://datasets/x", "s3://bucket/x.json", "http:///rows.json"])
async def test_other_schemes_are_named_as_not_supported(server: Evaluator, url: str) -> None:
    assert url.partition(":")[0] in await failure(server, url)
