"""A dataset reader over a directory of the test's, without a server around it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from nemo_local_evaluator.datasets import DatasetReader, DatasetSource, Row, Rows


def nothing_there(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(404)


@asynccontextmanager
async def reader(
    data: Path, *, web: httpx.MockTransport | None = None, roots: tuple[Path, ...] = ()
) -> AsyncIterator[DatasetReader]:
    transport = web or httpx.MockTransport(nothing_there)
    async with httpx.AsyncClient(transport=transport, follow_redirects=False) as http:
        yield DatasetReader(roots=roots or (data,), private=data / "evaluator.db", http=http)


async def rows_of(rows: Rows, *, size: int = 100) -> list[Row]:
    return [row async for batch in rows.batches(size) for row in batch]


async def read(data: Path, files_url: str, *, limit: int | None = None, **source: Any) -> list[Row]:
    async with reader(data) as datasets:
        with await datasets.open(DatasetSource(files_url=files_url, **source), limit=limit) as rows:
            return await rows_of(rows)
