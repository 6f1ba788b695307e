"""Parquet, page by page, and what becomes of values that JSON cannot carry.

Times and dates become ISO 8601 strings, durations seconds, decimals their digits, bytes text where they are
UTF-8 and base64 where not, maps objects, NaN and the infinities null.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from .refusals import bad_file, bad_row, too_large
from .row import MAX_ROW_BYTES, Row, SizedRow

__all__ = ["read_parquet"]

_BATCH_BYTES: Final = 8 * 1024 * 1024
_MAX_BATCH_ROWS: Final = 64
"""Small, for the size of a row is only known once it is decoded."""
_BUFFER_BYTES: Final = 1024 * 1024
"""Buffer with which Arrow reads columns page by page; without one it reads them whole."""


def read_parquet(file: BinaryIO, name: str) -> Iterator[SizedRow]:
    number = 1
    try:
        parquet = pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        repeated = [column for column, times in Counter(parquet.schema_arrow.names).items() if times > 1]
        if repeated:
            raise bad_file(name, f"has more than one column {repeated[0]!r}")
        for batch in parquet.iter_batches(batch_size=_batch_rows(parquet.metadata), use_threads=False):
            size = batch.nbytes // max(batch.num_rows, 1)
            for values in _values(_in_microseconds(batch), name, number):
                yield {column: _value(value) for column, value in values.items()}, size
                number += 1
    except MemoryError:
        raise  # for the process to say how much it may have
    except (pa.ArrowException, OSError) as error:
        what = f"is not Parquet: {_first_line(error)}"
        raise (bad_row(name, number, what) if number > 1 else bad_file(name, what)) from error


def _batch_rows(metadata: Any) -> int:
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    widest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(_MAX_BATCH_ROWS, int(_BATCH_BYTES / max(widest, 1))))


def _in_microseconds(batch: Any) -> Any:
    """Return the batch without nanoseconds, which Python's times do not have."""
    columns = [
        column if (coarse := _coarser(column.type)) is None else column.cast(coarse, safe=False)
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _coarser(kind: Any) -> Any:
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", tz=kind.tz)
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    return None


def _values(batch: Any, name: str, first: int) -> list[Row]:
    """Row by row where one of them cannot be read, or may be too large."""
    failure: Exception | None = None
    if batch.nbytes <= MAX_ROW_BYTES:
        try:
            rows: list[Row] = batch.to_pylist(maps_as_pydicts="lossy")
        except (pa.ArrowException, ValueError, OverflowError) as error:
            failure = error
        else:
            return rows
    if batch.num_rows > 1:
        return [
            row
            for offset in range(batch.num_rows)
            for row in _values(batch.slice(offset, 1), name, first + offset)
        ]
    if failure is None:
        raise too_large(name, first)
    raise bad_row(name, first, f"cannot be read: {_first_line(failure)}") from failure


def _value(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(_value(key)): _value(item) for key, item in value.items()}
        case list() | tuple():
            return [_value(item) for item in value]
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return _text(value)
        case _:
            return str(value)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
