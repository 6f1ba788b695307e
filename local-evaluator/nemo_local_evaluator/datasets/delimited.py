"""CSV and TSV: a header, then rows of as many columns; every value is a string."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from .refusals import bad_file, bad_row, not_utf8, too_large
from .row import MAX_ROW_BYTES, SizedRow

__all__ = ["read_delimited"]


def read_delimited(file: BinaryIO, name: str, *, delimiter: str) -> Iterator[SizedRow]:
    # Of the whole process; 128 KiB by default, and long contexts are longer.
    csv.field_size_limit(MAX_ROW_BYTES)
    lines = _Lines(file, name)
    records = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(filter(None, records), [])
        repeated = [column for column, times in Counter(header).items() if times > 1]
        if repeated:
            raise bad_file(name, f"has more than one column {repeated[0]!r}")
        lines.next_row()
        for record in records:
            if record:
                if len(record) != len(header):
                    what = f"has {len(record)} columns, but the header has {len(header)}"
                    raise bad_row(name, lines.number, what)
                yield dict(zip(header, record, strict=True)), lines.taken
                lines.next_row()
    except csv.Error as error:
        what = f"is not {'CSV' if delimiter == ',' else 'TSV'}: {error}"
        raise (bad_row(name, lines.number, what) if lines.number else bad_file(name, what)) from error


class _Lines:
    """The lines of a file, counted by the row they belong to: a quoted value may span any number of them."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self.number = 0
        """Number of the row that is being read; 0 for the header."""
        self.taken = 0

    def next_row(self) -> None:
        self.number += 1
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        encoding = "utf-8-sig"
        while raw := self._file.readline(MAX_ROW_BYTES + 1):
            self.taken += len(raw)
            if self.taken > MAX_ROW_BYTES:
                raise too_large(self._name, self.number)
            try:
                text = raw.decode(encoding)
            except UnicodeDecodeError as error:
                raise not_utf8(self._name, self.number, error) from error
            encoding = "utf-8"
            # Lines may also end with a carriage return alone.
            yield from io.StringIO(text, newline="")
