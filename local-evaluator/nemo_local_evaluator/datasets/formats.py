"""File formats, recognised by a name or a suffix, and readers of one file."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from .delimited import read_delimited
from .json_rows import read_json, read_json_lines
from .parquet_process import read_parquet_apart
from .refusals import bad_file
from .row import SizedRow

__all__ = [
    "MEDIA_TYPES",
    "SUFFIXES",
    "DataFile",
    "Format",
    "media_format",
    "named_format",
    "read_bytes",
    "read_file",
    "suffix_format",
]

_BUFFER_BYTES: Final = 1024 * 1024


class Format(StrEnum):
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"


_NAMES: Final[Mapping[str, Format]] = {form.value: form for form in Format} | {"ndjson": Format.JSONL}
_MEDIA_TYPES: Final[Mapping[str, Format]] = {
    "application/json": Format.JSON,
    "application/jsonl": Format.JSONL,
    "application/x-ndjson": Format.JSONL,
    "text/csv": Format.CSV,
    "text/tab-separated-values": Format.TSV,
}
MEDIA_TYPES: Final = ", ".join(_MEDIA_TYPES)
SUFFIXES: Final = ", ".join(f".{name}" for name in _NAMES)


@dataclass(frozen=True, kw_only=True)
class DataFile:
    path: Path
    name: str
    """Name for messages: the path of a download or cache means nothing to users."""
    form: Format


def named_format(name: str | None) -> Format | None:
    """Return the format, or None: NeMo's `format` may also name a schema."""
    return _NAMES.get(name.lower()) if name else None


def suffix_format(name: str) -> Format | None:
    return _NAMES.get(PurePosixPath(name).suffix.lower().removeprefix("."))


def media_format(media_type: str) -> Format | None:
    """Return the format of a data: URL; Parquet is not among them."""
    return _MEDIA_TYPES.get(media_type)


def read_bytes(data: bytes, form: Format, name: str) -> Generator[SizedRow, None, None]:
    """Yield the rows of data in memory, as `read_file` does for a file."""
    yield from _READERS[form](io.BytesIO(data), name)


def read_file(file: DataFile) -> Generator[SizedRow, None, None]:
    """Rows one by one; raises EvaluationError at the first that is none. Closing it closes the file."""
    try:
        with file.path.open("rb", buffering=_BUFFER_BYTES) as stream:
            yield from _READERS[file.form](stream, file.name)
    except OSError as error:
        raise bad_file(file.name, f"cannot be read: {error.strerror or error}") from error


_READERS: Final[Mapping[Format, Callable[[BinaryIO, str], Iterator[SizedRow]]]] = {
    Format.JSON: read_json,
    Format.JSONL: read_json_lines,
    Format.CSV: partial(read_delimited, delimiter=","),
    Format.TSV: partial(read_delimited, delimiter="\t"),
    Format.PARQUET: read_parquet_apart,
}
