"""Rows from a dataset's `files_url`: files beneath allowed directories, or http(s).

JSON (an array of objects), JSON Lines and CSV. Every message names the file and, where there is one, the row.
"""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NoReturn
from urllib.parse import unquote

import httpx

from nemo_local_evaluator.errors import EvaluationError
from nemo_local_evaluator.model_client import parse_url

MAX_BYTES = 256 * 1024 * 1024
_DOWNLOAD_TIMEOUT = 60.0
_MAX_REDIRECTS = 3
_MAX_SHOWN = 300
_MAX_PATH_PART = 255
"""Bytes; the kernel would refuse a longer name with an error of its own."""

Row = dict[str, Any]
Format = Literal["json", "jsonl", "csv"]

_SUFFIXES: dict[str, Format] = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
_FORMATS: dict[str, Format] = {"json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "csv": "csv"}


@dataclass(frozen=True, kw_only=True)
class DatasetSource:
    files_url: str
    format: str | None = None


class Rows:
    """Rows that were checked and counted, to be read in batches."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows
        self.count = len(rows)

    async def batches(self, size: int) -> AsyncGenerator[list[Row]]:
        for start in range(0, self.count, size):
            yield self._rows[start : start + size]


def rows_in_memory(rows: list[Row], *, limit: int | None) -> Rows:
    return Rows(rows[:limit])


class DatasetReader:
    def __init__(self, *, roots: Sequence[Path], private: Path, http: httpx.AsyncClient) -> None:
        self._roots = roots
        self._private = private.resolve()
        """The database: beneath a root by default, and never a dataset."""
        self._http = http

    def check(self, source: DatasetSource) -> None:
        """All that can be said without reading or downloading."""
        if _is_remote(source.files_url):
            parse_url(source.files_url)
        else:
            self._locate(source.files_url)
        _format_of(source)

    async def open(self, source: DatasetSource, *, limit: int | None) -> Rows:
        self.check(source)
        form = _format_of(source)
        if _is_remote(source.files_url):
            content = await self._download(source.files_url)
        else:
            content = await asyncio.to_thread(_read_file, self._locate(source.files_url))
        name = PurePosixPath(source.files_url).name
        return Rows(await asyncio.to_thread(_rows, content, form=form, name=name, limit=limit))

    def _locate(self, files_url: str) -> Path:
        given = Path(unquote(files_url.removeprefix("file://")))
        if "\0" in str(given) or any(len(part.encode()) > _MAX_PATH_PART for part in given.parts):
            msg = f"dataset {files_url[:_MAX_SHOWN]!r} is no path"
            raise EvaluationError(msg)
        candidates = [given] if given.is_absolute() else [root / given for root in self._roots]
        resolved = [candidate.resolve() for candidate in candidates]
        allowed = [path for path in resolved if self._allowed(path)]
        if not allowed:
            roots = ", ".join(map(str, self._roots))
            msg = f"dataset {files_url!r} is outside the directories allowed: {roots}"
            raise EvaluationError(msg)
        for path in allowed:
            if path.is_file():
                return path
        if any(path.is_dir() for path in allowed):
            msg = f"dataset {files_url!r} is a directory, not a file"
            raise EvaluationError(msg)
        msg = f"dataset {files_url!r} does not exist"
        raise EvaluationError(msg)

    def _allowed(self, path: Path) -> bool:
        if path.parent == self._private.parent and path.name.startswith(self._private.name):
            return False
        return any(path.is_relative_to(root) for root in self._roots)

    async def _download(self, files_url: str) -> bytes:
        url = parse_url(files_url)
        try:
            async with asyncio.timeout(_DOWNLOAD_TIMEOUT):
                for _ in range(_MAX_REDIRECTS + 1):
                    async with self._http.stream("GET", url) as response:
                        if response.next_request is None:
                            return await _body(response, files_url)
                        following = response.next_request.url
                    if following.host != url.host:
                        msg = f"dataset {files_url!r} redirects to another host, {following.host}"
                        raise EvaluationError(msg)
                    url = following
        except (TimeoutError, httpx.TimeoutException) as error:
            msg = f"dataset {files_url!r} took more than {_DOWNLOAD_TIMEOUT:g} s"
            raise EvaluationError(msg) from error
        except httpx.RequestError as error:
            msg = f"dataset {files_url!r} cannot be downloaded: {error}"
            raise EvaluationError(msg) from error
        msg = f"dataset {files_url!r} redirects too often"
        raise EvaluationError(msg)


def _is_remote(files_url: str) -> bool:
    if files_url.startswith("hf://"):
        msg = f"dataset {files_url!r}: hf:// is not supported here; use file:// or https://"
        raise EvaluationError(msg)
    scheme, separator, _ = files_url.partition("://")
    if separator and scheme not in {"file", "http", "https"}:
        msg = f"dataset {files_url!r}: {scheme}:// is not supported; use file://, http:// or https://"
        raise EvaluationError(msg)
    return bool(separator) and scheme != "file"


def _format_of(source: DatasetSource) -> Format:
    if source.format:
        known = _FORMATS.get(source.format.lower())
        if known is None:
            msg = f"dataset format {source.format!r} is not one of json, jsonl, csv"
            raise EvaluationError(msg)
        return known
    path = parse_url(source.files_url).path if _is_remote(source.files_url) else source.files_url
    suffix = _SUFFIXES.get(PurePosixPath(path).suffix.lower())
    if suffix is None:
        msg = f"dataset {source.files_url!r} does not end with .json, .jsonl or .csv; give its format"
        raise EvaluationError(msg)
    return suffix


async def _body(response: httpx.Response, files_url: str) -> bytes:
    if not response.is_success:
        msg = f"dataset {files_url!r} answered {response.status_code}"
        raise EvaluationError(msg)
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_BYTES:
            msg = f"dataset {files_url!r} is larger than {MAX_BYTES} bytes"
            raise EvaluationError(msg)
    return bytes(content)


def _read_file(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        msg = f"dataset {path.name!r} is larger than {MAX_BYTES} bytes"
        raise EvaluationError(msg)
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"dataset {path.name!r} cannot be read: {error.strerror}"
        raise EvaluationError(msg) from error


def _rows(content: bytes, *, form: Format, name: str, limit: int | None) -> list[Row]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"dataset {name!r} is not UTF-8: {error}"
        raise EvaluationError(msg) from error
    values: Iterable[Any] = _PARSERS[form](text, name)
    rows = []
    for number, value in enumerate(islice(values, limit), start=1):
        if not isinstance(value, dict):
            msg = f"dataset {name!r}, row {number} is {type(value).__name__}, not an object"
            raise EvaluationError(msg)
        rows.append(value)
    if not rows:
        msg = f"dataset {name!r} has no rows"
        raise EvaluationError(msg)
    return rows


def _no_constant(constant: str) -> NoReturn:
    # Python reads NaN and Infinity, but no answer of the API could carry them.
    msg = f"{constant} is no value of JSON"
    raise ValueError(msg)


def _parse_json(text: str, name: str) -> Iterable[Any]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        msg = f"dataset {name!r} is not JSON: {error}"
        raise EvaluationError(msg) from error
    if not isinstance(value, list):
        msg = f"dataset {name!r} is not a JSON array of objects"
        raise EvaluationError(msg)
    return value


def _parse_jsonl(text: str, name: str) -> Iterator[Any]:
    # Not splitlines(): it would also cut at U+2028, which JSON strings may hold unescaped.
    filled = (line for line in io.StringIO(text) if line.strip())
    for number, line in enumerate(filled, start=1):
        try:
            yield json.loads(line, parse_constant=_no_constant)
        except ValueError as error:
            msg = f"dataset {name!r}, row {number} is not JSON: {error}"
            raise EvaluationError(msg) from error


def _parse_csv(text: str, name: str) -> Iterator[Any]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    number = 0
    try:
        for number, row in enumerate(reader, start=1):
            if None in row or None in row.values():
                msg = f"dataset {name!r}, row {number} does not have the columns of the header"
                raise EvaluationError(msg)
            yield row
    except csv.Error as error:
        msg = f"dataset {name!r}, row {number + 1} is not CSV: {error}"
        raise EvaluationError(msg) from error


_PARSERS = {"json": _parse_json, "jsonl": _parse_jsonl, "csv": _parse_csv}
