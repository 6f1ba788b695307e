"""JSON arrays of objects, and JSON Lines, one row at a time; JSON objects that hold rows, whole.

Arrays are read through a window with the standard library's decoder, so that both formats agree on every
value. A streaming parser was no choice: ijson takes gigabytes for 100 kB of nested brackets, and has other
numbers and characters than Python's json.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator
from itertools import count
from typing import Any, BinaryIO, Final, NoReturn

from nemo_local_evaluator.wire.bounds import MAX_PARTS, has_too_many_parts
from nemo_local_evaluator.wire.depth import TOO_DEEP, is_too_deep
from nemo_local_evaluator.wire.errors import EvaluationError

from .refusals import bad_file, bad_row, not_utf8, too_large, too_many_values
from .row import MAX_ROW_BYTES, Row, SizedRow, weight

__all__ = ["MAX_OBJECT_CHARACTERS", "MAX_OBJECT_PARTS", "read_json", "read_json_lines"]

_CHUNK_BYTES: Final = 256 * 1024
MAX_OBJECT_CHARACTERS: Final = 64 * 1024 * 1024
"""Limit for a dataset that is one object: the training set of SQuAD 2.0 has 42 million."""
MAX_OBJECT_PARTS: Final = 2_000_000
"""Objects, lists and values of such a dataset; the training set of SQuAD 2.0 has 1.3 million."""
_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_KINDS: Final = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def read_json(file: BinaryIO, name: str) -> Iterator[SizedRow]:
    window = _Window(file, name)
    match window.next_mark():
        case "[":
            yield from _array(window, name)
        case "{":
            yield from _rows_of_object(window, name)
        case _:
            raise bad_file(name, "is not a JSON array of objects")
    if window.next_mark():
        raise bad_file(name, "goes on after the end of its array or object")


def _array(window: _Window, name: str) -> Iterator[SizedRow]:
    window.position += 1
    if window.next_mark() == "]":
        window.position += 1
    else:
        yield from _elements(window, name)


def _rows_of_object(window: _Window, name: str) -> Iterator[SizedRow]:
    """SQuAD has its rows in `data`, RAGAS has columns. Such a document is read whole."""
    document, size = window.value(most=MAX_OBJECT_CHARACTERS, parts=MAX_OBJECT_PARTS)
    rows = document.get("data")
    if not isinstance(rows, list):
        rows = _of_columns(document)
    if rows is None:
        what = (
            "is not a JSON array of objects, nor an object with one in 'data' or with columns of one length"
        )
        raise bad_file(name, what)
    for number, row in enumerate(rows, start=1):
        yield _object(row, name=name, number=number), size // len(rows)


def _of_columns(document: Row) -> list[Row] | None:
    columns = list(document.values())
    if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        return None
    return [dict(zip(document, cells, strict=True)) for cells in zip(*columns, strict=True)]


def read_json_lines(file: BinaryIO, name: str) -> Iterator[SizedRow]:
    number = 1
    # Not by str.splitlines(): it also cuts at U+2028, which JSON strings may hold unescaped.
    while line := file.readline(MAX_ROW_BYTES + 1):
        if len(line) > MAX_ROW_BYTES:
            raise too_large(name, number)
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise not_utf8(name, number, error) from error
        if has_too_many_parts(text):
            raise too_many_values(name, number)
        try:
            value = _DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            raise _not_json(name, number, error, start=0) from error
        yield _object(value, name=name, number=number), weight(line)
        number += 1


def _elements(window: _Window, name: str) -> Iterator[SizedRow]:
    for number in count(1):
        window.number = number
        value, size = window.value()
        if size > MAX_ROW_BYTES:
            raise too_large(name, number)
        yield _object(value, name=name, number=number), window.weight(size)
        mark = window.next_mark()
        window.position += 1
        if mark == "]":
            return
        if mark != ",":
            raise bad_row(name, number, "is followed by neither a comma nor the end of the array")


class _Window:
    """The part of a text that is looked at: what was read leaves it, and more is read when it is needed."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._undecoded = b""
        self._fault: UnicodeDecodeError | None = None
        self._text = ""
        self._started = False
        self.position = 0
        self.number = 1
        """The row that is being read, for messages."""

    def next_mark(self) -> str:
        """Return the next character that is not a blank without consuming it; empty at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self.position)
            if blanks:
                self.position = blanks.end()
            if self.position < len(self._text):
                return self._text[self.position]
            if not self._extend():
                return ""

    def value(self, *, most: int = MAX_ROW_BYTES, parts: int = MAX_PARTS) -> tuple[Any, int]:
        """The next value, and of how many characters it is, `most` at most."""
        self.next_mark()
        while True:
            start = self.position
            if has_too_many_parts(self._text, start=start, most=parts):
                raise too_many_values(self._name, self.number, parts)
            try:
                value, self.position = _DECODER.raw_decode(self._text, start)
            except json.JSONDecodeError as error:
                # Wrong, or only not read to its end: more text shows which.
                if len(self._text) - start > most:
                    what = f"is larger than {most // 1024**2} MiB, or not JSON: {error.msg}"
                    raise bad_row(self._name, self.number, what) from error
                if not self._extend():
                    raise _not_json(self._name, self.number, error, start=start) from error
            except (ValueError, RecursionError) as error:
                raise _not_json(self._name, self.number, error, start=start) from error
            else:
                return value, self.position - start

    def weight(self, size: int) -> int:
        """The weight of the value that was read last, of `size` characters."""
        return weight(self._text[self.position - size : self.position].encode("utf-8", "replace"))

    def _extend(self) -> bool:
        """False at the end of the file."""
        if self._fault is not None:
            raise not_utf8(self._name, self.number, self._fault) from self._fault
        rest = self._text[self.position :]
        # As much again as there is: a long row is tried few times.
        raw = self._file.read(max(_CHUNK_BYTES, len(rest)))
        if raw and not self._started:
            self._started = True
            raw = raw.removeprefix(codecs.BOM_UTF8)
        data = self._undecoded + raw
        try:
            text, used = codecs.utf_8_decode(data, "strict", not raw)
        except UnicodeDecodeError as error:
            # What comes before it is read first, so that the fault is reported with its own row.
            self._fault = error
            text, used = data[: error.start].decode(), error.start
        self._undecoded = data[used:]
        self._text = rest + text
        self.position = 0
        return bool(raw) or self._fault is not None


def _object(value: Any, *, name: str, number: int) -> Row:
    if not isinstance(value, dict):
        raise bad_row(name, number, f"is {_KINDS.get(type(value), 'a number')}, not an object")
    if is_too_deep(value):
        raise bad_row(name, number, f"has {TOO_DEEP}")
    return value


def _not_json(name: str, number: int, error: ValueError | RecursionError, *, start: int) -> EvaluationError:
    match error:
        case json.JSONDecodeError():
            what = f"{error.msg} at character {error.pos - start + 1}"
        case RecursionError():
            what = "it is nested too deeply"
        case _:
            what = str(error)
    return bad_row(name, number, f"is not JSON: {what}")


def _no_constant(constant: str) -> NoReturn:
    # Python reads NaN and Infinity, but no answer of the API could carry them.
    raise ValueError(f"{constant} is not a JSON value")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number[:20]} is too large for a number")
    return value


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
