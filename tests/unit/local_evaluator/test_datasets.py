"""Rows from files and over HTTP, and every way in which they may not come."""

import base64
import re
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


async def test_a_dataset_is_named_by_url_or_path(server: Evaluator) -> None:
    server.dataset("rows.jsonl", '{"x": 1}\n{"x": 2}\n')
    assert await count(server, {"files_url": "file://rows.jsonl"}) == 2
    assert await count(server, {"files_url": "rows.jsonl", "limit": 1}) == 1
    assert await count(server, f"file://{server.data / 'rows.jsonl'}") == 2
    server.dataset("two words.jsonl", '{"x": 1}\n')
    assert await count(server, f"file://localhost{server.data / 'rows.jsonl'}") == 2
    assert await count(server, "file://two%20words.jsonl") == 1


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


async def test_a_bad_row_fails_the_job_with_its_number(server: Evaluator) -> None:
    dataset = server.dataset("rows.jsonl", '{"x": 1}\n{"x"\n')
    assert "'rows.jsonl', row 2 is not JSON" in await failure(server, dataset)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (
            {"files_url": "file://absent.json"},
            "'absent.json' does not exist: the evaluator looks on its own disk, in /",
        ),
        ({"files_url": "file://rows.txt"}, "give its format"),
        ({"files_url": "file:///etc/passwd", "format": "csv"}, "outside the directories"),
        ({"files_url": "https://data.test/rows"}, "give its format"),
        ({"files_url": "ftp://data.test/rows.json"}, "ftp://"),
        ({"files_url": "hf://datasets/rows.json"}, "is not hf://datasets/"),
        ({"files_url": "hf://datasets/a/b", "hf_endpoint": "hub"}, "is not an http:// or https:// URL"),
    ],
)
async def test_a_job_is_not_launched_where_its_dataset_cannot_be(
    server: Evaluator, dataset: dict[str, str], message: str
) -> None:
    server.dataset("rows.txt", "x")
    body = {"config": data_config(MATCHES), "target": {"type": "dataset", "dataset": dataset}}
    assert message in await server.refused(400, "POST", "jobs", body)


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
    (tmp_path / "circle.json").symlink_to("circle.json")
    for nonsense in ("file://%00.json", "file://" + "x" * 5000, "file://circle.json"):
        assert re.search("is not a readable path|does not exist", await failure(server, nonsense))


async def test_the_servers_own_files_are_no_dataset(server: Evaluator) -> None:
    for name in ("evaluator.db", "evaluator.db-wal", "jobs/eval-1/log.txt", ".downloads/x", ".hubs/x"):
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
async def test_a_download_that_fails_is_reported(
    server: Evaluator, response: httpx.Response, message: str
) -> None:
    async def serve(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(response.status_code, headers=response.headers)

    server.model.answer = serve
    assert message in await failure(server, "http://data.test/rows.json")


async def test_an_unreachable_download_is_reported(server: Evaluator) -> None:
    async def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    server.model.answer = refuse
    assert "cannot be downloaded: refused" in await failure(server, "http://data.test/rows.json")


async def test_a_server_that_stops_sending_is_reported(server: Evaluator) -> None:
    async def stall(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("silence", request=request)

    server.model.answer = stall
    assert "sent nothing for 30 s" in await failure(server, "http://data.test/rows.json")


async def test_credentials_and_signatures_of_a_url_are_not_reported(server: Evaluator) -> None:
    async def refuse(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(403)

    server.model.answer = refuse
    message = await failure(server, "https://me:s3cret@data.test/rows.json?signature=s3cret")
    assert "'https://data.test/rows.json' answered 403" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("url", ["s3://bucket/x.json", "http:///rows.json"])
async def test_other_schemes_are_named_as_not_supported(server: Evaluator, url: str) -> None:
    assert url.partition(":")[0] in await failure(server, url)


def inline(text: str, media_type: str) -> dict[str, Any]:
    return {"files_url": f"data:{media_type};base64,{base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize(
    ("text", "media_type"),
    [
        ('{"x": 1}\n{"x": 2}\n', "application/jsonl"),
        ('{"x": 1}\n{"x": 2}\n', "application/x-ndjson"),
        ('[{"x": 1}, {"x": 2}]', "application/json"),
        ("x\n1\n2\n", "text/csv;charset=utf-8"),
        ("x\ty\n1\t2\n2\t3\n", "text/tab-separated-values"),
    ],
)
async def test_a_data_url_brings_the_rows_along(server: Evaluator, text: str, media_type: str) -> None:
    assert await count(server, inline(text, media_type)) == 2
    assert await count(server, inline(text, media_type) | {"limit": 1}) == 1


@pytest.mark.parametrize(
    ("files_url", "problem"),
    [
        ("data:application/jsonl;base64,e30", "is not base64"),
        ("data:application/jsonl,{}", "is not data:MEDIA/TYPE;base64,DATA"),
        ("data:", "is not data:MEDIA/TYPE;base64,DATA"),
        ("data:image/png;base64,e30K", "has a media type that is not read; supported are application/json,"),
        ("data:application/jsonl;base64,", "has no rows"),
        ("data:application/jsonl;base64,WzFd", "row 1 is an array, not an object"),
    ],
)
async def test_a_data_url_that_cannot_be_read_is_not_repeated_whole(
    server: Evaluator, files_url: str, problem: str
) -> None:
    message = await failure(server, {"files_url": files_url})
    assert problem in message
    assert "WzFd" not in message
