"""hf://, against a hub on loopback, with the hub's own client library in between."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nemo_local_evaluator.datasets import DatasetSource, Row
from nemo_local_evaluator.wire.errors import EvaluationError
from tests.unit.local_evaluator.hub import COMMIT, FakeHub, fake_hub
from tests.unit.local_evaluator.reading import read, reader, rows_of

FILES = {
    "README.md": b"# Questions",
    "train.jsonl": b'{"x": 1}\n{"x": 2}\n',
    "testing/test.jsonl": b'{"x": 3}\n',
}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as running:
        running.repositories["team/questions"] = FILES
        yield running


async def rows(tmp_path: Path, hub: FakeHub, path: str, **source: Any) -> list[Row]:
    return await read(tmp_path, f"hf://datasets/team/questions{path}", hf_endpoint=hub.url, **source)


async def refusal(tmp_path: Path, hub: FakeHub, path: str, **source: Any) -> str:
    with pytest.raises(EvaluationError) as refused:
        await rows(tmp_path, hub, path, **source)
    return str(refused.value)


def downloaded(tmp_path: Path) -> list[str]:
    """The suffixes of what the cache holds: files are named by their content, incomplete ones end so."""
    return [path.suffix for path in tmp_path.glob(".hubs/*/*/blobs/*")]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def test_a_file_is_downloaded_and_its_rows_are_read(tmp_path: Path, hub: FakeHub) -> None:
    assert await rows(tmp_path, hub, "/testing/test.jsonl") == [{"x": 3}]
    assert await rows(tmp_path, hub, "/train.jsonl", format="jsonl") == [{"x": 1}, {"x": 2}]
    assert await rows(tmp_path, hub, f"@{COMMIT}/train.jsonl") == [{"x": 1}, {"x": 2}]


async def test_what_was_downloaded_once_is_kept(tmp_path: Path, hub: FakeHub) -> None:
    for _ in range(2):
        await rows(tmp_path, hub, "/train.jsonl")
    downloads = [path for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path]
    assert len(downloads) == 1


async def test_a_repository_is_read_by_its_only_file_or_by_split(tmp_path: Path, hub: FakeHub) -> None:
    assert await rows(tmp_path, hub, "", split="test") == [{"x": 3}]
    assert await rows(tmp_path, hub, "/testing/") == [{"x": 3}]
    message = await refusal(tmp_path, hub, "")
    assert "has testing/test.jsonl, train.jsonl: name one of them, or a split" in message


@pytest.mark.parametrize(
    ("path", "source", "message"),
    [
        ("/absent.jsonl", {}, "has no file that ends with"),
        ("", {"split": "dev"}, "has no split 'dev', but testing/test.jsonl, train.jsonl"),
        ("@other/train.jsonl", {}, "has no such revision"),
        ("/README.md", {}, "does not end with one of"),
    ],
)
async def test_a_path_split_or_revision_missing_in_a_repository_is_reported(
    tmp_path: Path, hub: FakeHub, path: str, source: dict[str, str], message: str
) -> None:
    assert message in await refusal(tmp_path, hub, path, **source)


async def test_an_unknown_repository_and_a_broken_hub_are_reported(tmp_path: Path, hub: FakeHub) -> None:
    hub.repositories.clear()
    assert "is unknown to its hub, or a token is needed" in await refusal(tmp_path, hub, "/train.jsonl")
    hub.broken = True
    assert "its hub answered 500" in await refusal(tmp_path, hub, "/train.jsonl")
    hub.url = "http://127.0.0.1:9"
    assert "cannot be downloaded" in await refusal(tmp_path, hub, "/train.jsonl")


@pytest.mark.parametrize(
    "files_url",
    ["hf://models/team/questions", "hf://datasets/team", "hf://datasets/team/questions/../x.json"],
)
async def test_other_hub_urls_are_refused_before_any_download(
    tmp_path: Path, hub: FakeHub, files_url: str
) -> None:
    async with reader(tmp_path) as datasets:
        with pytest.raises(EvaluationError, match="is not hf://datasets/"):
            datasets.check(DatasetSource(files_url=files_url, hf_endpoint=hub.url))
    assert hub.requests == []


async def test_a_datasets_endpoint_gets_the_datasets_token_and_not_the_servers(
    tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_server")
    hub.token = "hf_team"
    assert "a token is needed" in await refusal(tmp_path, hub, "/train.jsonl")
    assert {token for _, _, token in hub.requests} == {None}
    assert await rows(tmp_path, hub, "/train.jsonl", hf_token="hf_team") == [{"x": 1}, {"x": 2}]
    assert {token for _, _, token in hub.requests} == {None, "Bearer hf_team"}


async def test_a_private_dataset_is_not_given_from_the_cache_to_those_without_a_token(
    tmp_path: Path, hub: FakeHub
) -> None:
    hub.token = "hf_team"
    await rows(tmp_path, hub, "/train.jsonl", hf_token="hf_team")
    assert "a token is needed" in await refusal(tmp_path, hub, "/train.jsonl")


@pytest.mark.parametrize("named", [False, True])
def test_the_servers_endpoint_token_and_cache_come_from_the_environment(
    tmp_path: Path, hub: FakeHub, named: bool
) -> None:
    """In a process of its own: the library reads its environment once, when it is imported."""
    hub.token = "hf_server"
    script = """
import asyncio, sys
from pathlib import Path
from tests.unit.local_evaluator.reading import read

url = "hf://datasets/team/questions/train.jsonl"
print(asyncio.run(read(Path(sys.argv[1]), url, hf_endpoint=sys.argv[2])))
"""
    home = tmp_path / "home"
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_server", "HF_HOME": str(home)}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), f"{hub.url}/" if named else ""],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "[{'x': 1}, {'x': 2}]\n", ran.stderr
    assert list(home.glob("hub/datasets--team--questions/snapshots/*/train.jsonl"))


async def test_a_download_that_is_given_up_ends_and_is_not_kept(tmp_path: Path, hub: FakeHub) -> None:
    hub.hold = threading.Event()
    opening = asyncio.create_task(rows(tmp_path, hub, "/train.jsonl"))
    await until(lambda: downloaded(tmp_path) == [".incomplete"])
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    hub.hold.set()
    await until(lambda: downloaded(tmp_path) == [])


async def test_the_files_of_a_directory_are_downloaded_one_by_one(tmp_path: Path, hub: FakeHub) -> None:
    hub.repositories["team/fiqa"] = {
        "data/corpus.jsonl": b'{"_id": "d1", "text": "t"}\n',
        "data/queries.jsonl": b'{"_id": "q1", "text": "t"}\n',
        "data/qrels/test.tsv": b"query-id\tcorpus-id\tscore\nq1\td1\t1\n",
    }
    async with reader(tmp_path) as datasets:
        source = DatasetSource(files_url="hf://datasets/team/fiqa/data/", hf_endpoint=hub.url)
        directory = await datasets.directory(source)
        assert directory.names == {"corpus.jsonl", "queries.jsonl", "qrels/test.tsv"}
        judgements = await directory.open("qrels/test.tsv")
        assert await rows_of(judgements) == [{"query-id": "q1", "corpus-id": "d1", "score": "1"}]
        assert (await directory.path("corpus.jsonl")).read_bytes().startswith(b'{"_id": "d1"')
    assert not any(path.endswith("queries.jsonl") for _, path, _ in hub.requests)
