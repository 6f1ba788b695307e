"""Rows that a ConfigMap holds, from its text to JSON lines. Pure.

The text is a tenant's. Its bytes and values are counted before it is parsed, and so are the bytes of what is
made of it: a CSV header is repeated in each row.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final, NoReturn

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject

__all__ = ["MAX_DATASET_BYTES", "BadRows", "DatasetRows", "rows_in"]

MAX_DATASET_BYTES: Final = 1024**2
"""Bytes of a dataset, both as its text and as JSON Lines."""

MAX_ROWS: Final = 10_000
"""Rows of a dataset: the limit of spec.target.rows."""

MAX_VALUES: Final = 50_000
"""JSON values (objects, lists and scalars, counted recursively) in all rows."""

MAX_DEPTH: Final = 32
"""Levels of objects and lists in a row."""

_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
"""A string, also one without an end: else the search would begin again at each quote in it."""

_BOM: Final = "\ufeff"
_SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".csv")


class BadRows(Exception):
    """The text is not a dataset, or too large; the message says where and what to change."""


@dataclass(frozen=True)
class DatasetRows:
    """Rows as JSON lines: each row is one line, in UTF-8."""

    text: str
    count: int

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def rows(self, *, limit: int | None = None) -> list[JsonObject]:
        """Return the rows, at most the first `limit`."""
        return [json.loads(line) for line in islice(self.text.split("\n")[:-1], limit)]


def rows_in(text: str, key: str) -> DatasetRows:
    """Return the rows in the text of a ConfigMap's `key`, whose ending names the format. Raises BadRows.

    Without one of the known endings, a text that begins with a bracket is JSON, and one with a brace JSON
    lines.
    """
    if (size := len(text.encode())) > MAX_DATASET_BYTES:
        raise BadRows(f"has {size:,} bytes; at most {MAX_DATASET_BYTES:,} are read. {_ELSEWHERE}")
    text = text.removeprefix(_BOM)
    suffix = _suffix(text, key)
    if suffix == ".csv":
        return _as_lines(_csv_rows(text))
    if (values := _values(text)) > MAX_VALUES:
        raise BadRows(f"has {values:,} values; at most {MAX_VALUES:,} are read. {_ELSEWHERE}")
    return _as_lines(_array(text) if suffix == ".json" else _lines(text))


_ELSEWHERE: Final = "Make it smaller, or put the data where the evaluator reads it and name that in files_url"


def _suffix(text: str, key: str) -> str:
    for suffix in _SUFFIXES:
        if key.lower().endswith(suffix):
            return suffix
    match text.lstrip()[:1]:
        case "[":
            return ".json"
        case "{":
            return ".jsonl"
        case _:
            raise BadRows("is neither JSON nor JSON lines. Let the key end with .jsonl, .json or .csv")


def _as_lines(rows: Iterator[JsonObject]) -> DatasetRows:
    lines: list[str] = []
    size = 0
    for row in rows:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            size += len(line.encode())
        except UnicodeEncodeError as error:
            raise BadRows(
                f"row {len(lines) + 1} contains half of a surrogate pair (\\ud800 to \\udfff)"
            ) from error
        if size > MAX_DATASET_BYTES:
            raise BadRows(f"has rows of more than {MAX_DATASET_BYTES:,} bytes as JSON lines. {_ELSEWHERE}")
        if len(lines) == MAX_ROWS:
            raise BadRows(f"has more than {MAX_ROWS:,} rows. {_ELSEWHERE}")
        lines.append(line)
    if not lines:
        raise BadRows("has no rows")
    return DatasetRows("".join(lines), len(lines))


def _lines(text: str) -> Iterator[JsonObject]:
    # Not splitlines(): it also splits at U+2028, which a JSON string may contain.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _row(_parsed(line, first_line=number), f"line {number}")


def _array(text: str) -> Iterator[JsonObject]:
    found = _parsed(text, first_line=1)
    if not isinstance(found, list):
        raise BadRows("is not an array of objects: write [{...}, ...], or let the key end with .jsonl")
    for number, row in enumerate(found, start=1):
        yield _row(row, f"row {number}")


def _csv_rows(text: str) -> Iterator[JsonObject]:
    records = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(filter(None, records), [])
        if len(set(header)) < len(header):
            raise BadRows("has two columns of one name in its header")
        values = 0
        for record in filter(None, records):
            if len(record) != len(header):
                found = f"{len(record)} column{'' if len(record) == 1 else 's'}"
                raise BadRows(f"line {records.line_num} has {found}, but the header has {len(header)}")
            values += len(record) + 1
            if values > MAX_VALUES:
                raise BadRows(f"has more than {MAX_VALUES:,} values. {_ELSEWHERE}")
            yield dict(zip(header, record, strict=True))
    except csv.Error as error:
        raise BadRows(f"line {records.line_num} is not CSV: {error}") from error


def _parsed(text: str, *, first_line: int) -> JsonValue:
    try:
        value: JsonValue = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise BadRows(f"line {line} is not JSON: {error.msg} at character {error.colno}") from error
    except ValueError as error:
        raise BadRows(f"line {first_line} is not JSON: {error}") from error
    except RecursionError as error:
        raise BadRows(f"line {first_line} is nested more than {MAX_DEPTH} levels deep") from error
    return value


def _row(value: JsonValue, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise BadRows(f'{where} is not an object: write each row as {{"COLUMN": VALUE, ...}}')
    if _is_deeper(value, MAX_DEPTH):
        raise BadRows(f"{where} is nested more than {MAX_DEPTH} levels deep")
    return value


def _is_deeper(value: JsonValue, levels: int) -> bool:
    match value:
        case dict():
            return levels == 0 or any(_is_deeper(part, levels - 1) for part in value.values())
        case list():
            return levels == 0 or any(_is_deeper(part, levels - 1) for part in value)
        case _:
            return False


def _values(text: str) -> int:
    """No fewer than the values in `text`."""
    if (most := _separators(text)) <= MAX_VALUES:
        return most
    return _separators(_STRING.sub("0", text))


def _separators(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{") + text.count("\n") + 1


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a value of JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number[:20]} is too large")
    return value


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
