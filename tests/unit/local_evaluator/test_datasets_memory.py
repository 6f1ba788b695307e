"""What is held of a dataset does not grow with it, and nothing of it stays behind."""

import asyncio
import gc
import json
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typing_extensions import override

from nemo_local_evaluator.datasets import DatasetSource, parquet_process, rows_in_memory
from nemo_local_evaluator.datasets.parquet import read_parquet
from nemo_local_evaluator.wire.errors import EvaluationError
from tests.unit.local_evaluator.reading import reader, rows_of

ROWS = 6_000
ROW_BYTES = 10_000
FILE_BYTES = ROWS * ROW_BYTES
BOUND = FILE_BYTES // 4


def texts() -> Iterator[str]:
    """Of which no two are the same, so that no format makes them small."""
    for number in range(ROWS):
        yield f"{number:08}" + os.urandom(ROW_BYTES // 2).hex()


def write_json(path: Path) -> None:
    with path.open("w") as file:
        file.write("[")
        for number, text in enumerate(texts()):
            file.write("," * bool(number) + json.dumps({"x": text}))
        file.write("]")


def write_lines(path: Path) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps({"x": text}) + "\n" for text in texts())


def write_csv(path: Path) -> None:
    with path.open("w") as file:
        file.write("x\n")
        file.writelines(text + "\n" for text in texts())


@pytest.mark.parametrize(
    ("name", "write"), [("rows.json", write_json), ("rows.jsonl", write_lines), ("rows.csv", write_csv)]
)
async def test_a_file_is_checked_and_read_in_a_small_part_of_its_size(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    assert (tmp_path / name).stat().st_size > FILE_BYTES
    async with reader(tmp_path) as datasets:
        tracemalloc.start()
        try:
            rows = await datasets.open(DatasetSource(files_url=name), limit=None)
            read = 0
            async for batch in rows.batches(256):
                read += len(batch)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert rows.count == read == ROWS
    assert peak < BOUND


async def test_parquet_is_read_page_by_page(tmp_path: Path) -> None:
    table = pa.table({"x": list(texts())})
    pq.write_table(table, tmp_path / "rows.parquet", use_dictionary=False, row_group_size=ROWS)
    del table
    gc.collect()
    before = pa.total_allocated_bytes()
    with (tmp_path / "rows.parquet").open("rb") as file:
        held = [pa.total_allocated_bytes() - before for _ in read_parquet(file, "rows.parquet")]
    assert len(held) == ROWS
    assert 0 < max(held) < BOUND


MIB = 1024 * 1024


def repeated(text: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), times), pa.array([text]))


BOMBS: dict[str, Callable[[], pa.Array]] = {
    "a long text in every row": lambda: repeated("a" * 36 * MIB, 10_000),
    "a long text many times in one row": lambda: pa.ListArray.from_arrays(
        [0, 1000], repeated("b" * MIB, 1000)
    ),
    "a list of one value": lambda: pa.ListArray.from_arrays(
        [0, 200 * MIB], pa.repeat(pa.scalar(7, pa.int8()), 200 * MIB)
    ),
    "a list of nulls": lambda: pa.ListArray.from_arrays([0, 100 * MIB], pa.nulls(100 * MIB, pa.int8())),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_small_parquet_file_does_not_become_gigabytes(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": BOMBS[bomb]()}), path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 100_000
    async with reader(tmp_path) as datasets:
        tracemalloc.start()
        try:
            with pytest.raises(EvaluationError) as refused:
                await datasets.open(DatasetSource(files_url="rows.parquet"), limit=None)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert any(
        reason in str(refused.value)
        for reason in ("needs more than 512 MiB", "is larger than 16 MiB", "more than 250,000")
    )
    assert peak < 100 * MIB


async def test_long_texts_that_rows_share_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": repeated("a" * MIB, 100)}), tmp_path / "rows.parquet", store_schema=False)
    async with reader(tmp_path) as datasets:
        rows = await datasets.open(DatasetSource(files_url="rows.parquet"), limit=None)
        batches = [len(batch) async for batch in rows.batches(256)]
    assert sum(batches) == rows.count == 100
    assert max(batches) <= 17


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for a limit of memory")
async def test_a_decoder_that_is_killed_fails_its_dataset_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"x": ["a"]}), tmp_path / "rows.parquet")
    monkeypatch.setattr(parquet_process, "_decode", end_at_once)
    async with reader(tmp_path) as datasets:
        with pytest.raises(EvaluationError, match="ended the process that read it"):
            await datasets.open(DatasetSource(files_url="rows.parquet"), limit=None)


def end_at_once(*_arguments: object) -> None:
    os._exit(9)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
async def test_a_row_of_many_small_parts_is_refused_before_it_is_built(tmp_path: Path, name: str) -> None:
    row = '{"x": [' + ",".join(["[]"] * 2 * MIB) + "]}"
    (tmp_path / name).write_text(f"[{row}]" if name.endswith("json") else f"{row}\n")
    async with reader(tmp_path) as datasets:
        tracemalloc.start()
        try:
            with pytest.raises(
                EvaluationError, match="row 1 has more than 250,000 objects, lists and values"
            ):
                await datasets.open(DatasetSource(files_url=name), limit=None)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 64 * MIB


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
async def test_a_batch_of_rows_of_many_parts_ends_early(tmp_path: Path, name: str) -> None:
    row = '{"x": [' + ",".join(["[]"] * 100_000) + "]}"
    (tmp_path / name).write_text(f"[{row},{row},{row}]" if name.endswith("json") else f"{row}\n" * 3)
    async with reader(tmp_path) as datasets:
        rows = await datasets.open(DatasetSource(files_url=name), limit=None)
        assert [len(batch) async for batch in rows.batches(100)] == [2, 1]


async def test_a_batch_of_large_rows_ends_early(tmp_path: Path) -> None:
    with (tmp_path / "rows.jsonl").open("w") as file:
        file.writelines(json.dumps({"x": "a" * 9_000_000}) + "\n" for _ in range(5))
    async with reader(tmp_path) as datasets:
        rows = await datasets.open(DatasetSource(files_url="rows.jsonl"), limit=None)
        assert [len(batch) async for batch in rows.batches(100)] == [2, 2, 1]


async def test_rows_are_handed_out_as_often_as_asked(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"x": 1}\n' * 7)
    async with reader(tmp_path) as datasets:
        rows = await datasets.open(DatasetSource(files_url="rows.jsonl"), limit=5)
        for _ in range(2):
            assert [len(batch) async for batch in rows.batches(2)] == [2, 2, 1]


async def test_rows_of_a_target_are_handed_out_alike() -> None:
    rows = rows_in_memory([{"x": number} for number in range(5)], limit=3)
    assert rows.count == 3
    assert [batch async for batch in rows.batches(2)] == [[{"x": 0}, {"x": 1}], [{"x": 2}]]
    assert rows_in_memory([{"x": 1}], limit=None).count == 1


async def test_a_file_that_shrinks_while_it_is_read_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"x": 1}\n' * 5)
    async with reader(tmp_path) as datasets:
        rows = await datasets.open(DatasetSource(files_url="rows.jsonl"), limit=None)
        path.write_text('{"x": 1}\n' * 3)
        with pytest.raises(EvaluationError, match=r"'rows\.jsonl' lost 2 of its 5 rows"):
            await rows_of(rows)


def open_files(directory: Path) -> list[str]:
    links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [str(link) for link in links if link.is_relative_to(directory)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux which files are open")
async def test_who_leaves_early_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"x": 1}\n' * 5)
    async with reader(tmp_path) as datasets:
        rows = await datasets.open(DatasetSource(files_url="rows.jsonl"), limit=None)
        async with aclosing(rows.batches(2)) as batches:
            await anext(batches)
            assert open_files(tmp_path)
        assert open_files(tmp_path) == []
        (tmp_path / "rows.jsonl").write_text("{\n")
        with pytest.raises(EvaluationError):
            await datasets.open(DatasetSource(files_url="rows.jsonl"), limit=None)
        assert open_files(tmp_path) == []


def downloads(data: Path) -> list[Path]:
    return list((data / ".downloads").iterdir())


async def test_a_download_is_kept_as_long_as_its_rows(tmp_path: Path) -> None:
    web = httpx.MockTransport(lambda _request: httpx.Response(200, text='{"x": 1}\n'))
    async with reader(tmp_path, web=web) as datasets:
        with await datasets.open(DatasetSource(files_url="http://data.test/rows.jsonl"), limit=None) as rows:
            assert len(downloads(tmp_path)) == 1
            assert await rows_of(rows) == [{"x": 1}]
        assert downloads(tmp_path) == []
        rows = await datasets.open(DatasetSource(files_url="http://data.test/rows.jsonl"), limit=None)
        del rows
        gc.collect()
        assert downloads(tmp_path) == []


async def test_a_download_that_is_refused_or_given_up_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()

    class Endless(httpx.AsyncByteStream):
        @override
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"x" * 2_000_000
            begun.set()
            await asyncio.Event().wait()

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/bad.jsonl":
            return httpx.Response(200, text="{\n")
        return httpx.Response(200, stream=Endless())

    async with reader(tmp_path, web=httpx.MockTransport(serve)) as datasets:
        with pytest.raises(EvaluationError, match=r"'bad\.jsonl', row 1 is not JSON"):
            await datasets.open(DatasetSource(files_url="http://data.test/bad.jsonl"), limit=None)
        assert downloads(tmp_path) == []
        source = DatasetSource(files_url="http://data.test/endless.jsonl")
        opening = asyncio.create_task(datasets.open(source, limit=None))
        await begun.wait()
        assert len(downloads(tmp_path)) == 1
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert downloads(tmp_path) == []


async def test_what_a_killed_server_has_downloaded_is_removed(tmp_path: Path) -> None:
    left, in_use = (tmp_path / ".downloads" / name for name in ("left", "in-use"))
    left.parent.mkdir()
    for path in (left, in_use):
        path.touch()
    os.utime(left, (0, 0))
    async with reader(tmp_path):
        assert downloads(tmp_path) == [in_use]
