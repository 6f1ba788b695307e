"""Rows of an opened dataset: counted and checked beforehand, then handed out in batches.

Files are read in threads, a batch at a time, so that the event loop stays free and a cancelled caller is not
waited for.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from threading import Lock
from types import TracebackType
from typing import Final, Self

from .formats import DataFile, Format, read_bytes, read_file
from .refusals import bad_file
from .row import Row, SizedRow

__all__ = ["Read", "Rows", "rows_in_bytes", "rows_in_files", "rows_in_memory"]

Read = Callable[[], Generator[SizedRow, None, None]]
"""Begins a new reading."""

_CHECKED_AT_ONCE: Final = 1_000
"""Rows between two looks at whether the caller is still there."""
_BATCH_BYTES: Final = 16 * 1024 * 1024
"""A batch that is larger ends early."""


class Rows:
    """`count` rows, as often as `batches` is called. Closing removes what was downloaded for them."""

    def __init__(
        self,
        *,
        name: str,
        count: int,
        read: Read,
        release: Callable[[], None],
    ) -> None:
        self.count = count
        self._name = name
        self._read = read
        # Also without a call of close: a job may end in many ways.
        self._release = weakref.finalize(self, release)

    async def batches(self, size: int) -> AsyncGenerator[list[Row]]:
        """Yield batches of at most `size` rows, fewer where rows are large.

        Raises EvaluationError where the file is no longer what was checked. A caller that leaves the loop
        early closes the iterator (`contextlib.aclosing`), and with it the file.
        """
        left = self.count
        async with _cursor(self._read) as cursor:
            while left:
                batch = await asyncio.to_thread(cursor.take, min(size, left))
                if not batch:
                    raise bad_file(self._name, f"lost {left} of its {self.count} rows while it was read")
                left -= len(batch)
                yield batch

    def close(self) -> None:
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def rows_in_memory(rows: Sequence[Row], *, limit: int | None) -> Rows:
    """Return the rows that a target holds itself."""
    count = len(rows) if limit is None else min(limit, len(rows))
    return Rows(name="rows", count=count, read=lambda: ((row, 0) for row in rows), release=_nothing)


def _nothing() -> None:
    pass


async def rows_in_files(
    files: Sequence[DataFile], *, limit: int | None, release: Callable[[], None] = _nothing
) -> Rows:
    """Reads everything once. `release` is called when the rows are no longer needed, or are refused."""

    def read() -> Generator[SizedRow, None, None]:
        for file in files:
            yield from read_file(file)

    return await _read_once(read, limit, name=files[0].name, release=release)


async def rows_in_bytes(data: bytes, form: Format, *, name: str, limit: int | None) -> Rows:
    """Return the rows of data in memory, as `rows_in_files` does for files."""
    return await _read_once(lambda: read_bytes(data, form, name), limit, name=name, release=_nothing)


async def _read_once(read: Read, limit: int | None, *, name: str, release: Callable[[], None]) -> Rows:
    try:
        count = await _checked(read, limit, name=name)
    except BaseException:
        release()
        raise
    return Rows(name=name, count=count, read=read, release=release)


async def _checked(read: Read, limit: int | None, *, name: str) -> int:
    count = 0
    async with _cursor(read) as cursor:
        while limit is None or count < limit:
            at_once = _CHECKED_AT_ONCE if limit is None else min(_CHECKED_AT_ONCE, limit - count)
            passed = await asyncio.to_thread(cursor.skip, at_once)
            count += passed
            if passed < at_once:
                break
    if not count:
        raise bad_file(name, "has no rows")
    return count


@asynccontextmanager
async def _cursor(read: Read) -> AsyncIterator[_Cursor]:
    cursor = _Cursor(read())
    try:
        yield cursor
    finally:
        await asyncio.to_thread(cursor.close)


class _Cursor:
    """One pass over the rows. The lock is for a cancelled caller, which closes it while a thread may read."""

    def __init__(self, rows: Generator[SizedRow, None, None]) -> None:
        self._rows = rows
        self._lock = Lock()

    def take(self, most: int) -> list[Row]:
        batch: list[Row] = []
        taken = 0
        with self._lock:
            for row, size in islice(self._rows, most):
                batch.append(row)
                taken += size
                if taken >= _BATCH_BYTES:
                    break
        return batch

    def skip(self, most: int) -> int:
        with self._lock:
            return sum(1 for _ in islice(self._rows, most))

    def close(self) -> None:
        with self._lock:
            self._rows.close()
