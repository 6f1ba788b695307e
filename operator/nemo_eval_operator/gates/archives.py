"""Samples from the files that a job left: a ZIP archive with `samples/<task>.jsonl`, a JSON object a line.

Such is the local evaluator's `download-results`; what others put there is not documented.
The archive is not trusted: lines, files and what they take uncompressed are bounded.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import parts_of

from .samples import MAX_ITEMS, SampleScores

__all__ = ["ARCHIVE_ERRORS", "COMPRESSIONS", "has_few_entries", "samples_in"]

FOLDER: Final = "samples/"
ENDING: Final = ".jsonl"

MAX_FILES: Final = 200
"""Tasks of one run whose samples are read."""

MAX_ENTRIES: Final = 10_000
"""Entries of an archive, of which each takes some 600 bytes of memory; one with more is not read."""

ENTRY: Final = b"PK\x01\x02"
"""The beginning of each entry in an archive's table of contents."""

ARCHIVE_ERRORS: Final = (BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError)
"""What reading a ZIP archive raises where it is encrypted, cut off, or no archive at all."""

COMPRESSIONS: Final = frozenset({ZIP_STORED, ZIP_DEFLATED})
"""Compressions that are read: the dictionary of LZMA may take 4 GiB, whatever the size of the archive."""

MAX_LINE_BYTES: Final = 1024 * 1024
"""Of one sample. With a longer one the task's items count as unknown."""

MAX_READ_BYTES: Final = 128 * 1024 * 1024
"""Of all files, uncompressed."""

MAX_LINE_PARTS: Final = 50_000
"""Parts of one sample, as `parts_of` counts them: they are parsed in one piece, while nothing else runs."""

MAX_VALUES: Final = 300_000
"""Samples and scores of all files: each takes some 200 bytes of memory."""

MAX_SCORES: Final = 1_000
"""Scores of one task, by metric, name and filter: each takes 400 bytes more than its values."""


def has_few_entries(archive: bytes) -> bool:
    """Return whether the table of contents can be read in little memory."""
    return archive.count(ENTRY) <= MAX_ENTRIES


def samples_in(archive: bytes, hide: Callable[[JsonValue], JsonValue]) -> dict[str, SampleScores]:
    """Return the samples by task; nothing where the archive is not one that this program can read.

    `hide` masks known secrets, since digests of items are shown.
    """
    found: dict[str, SampleScores] = {}
    room = _Room(MAX_READ_BYTES, MAX_VALUES)
    if not has_few_entries(archive):
        return {}
    try:
        with ZipFile(io.BytesIO(archive)) as files:
            names = [
                entry.filename
                for entry in files.infolist()
                if entry.filename.startswith(FOLDER)
                and entry.filename.endswith(ENDING)
                and entry.compress_type in COMPRESSIONS
            ]
            for name in names[:MAX_FILES]:
                samples = _read(files, name, room, hide)
                if samples is not None:
                    found[unquote(name.removeprefix(FOLDER).removesuffix(ENDING))] = samples
    except ARCHIVE_ERRORS:
        return {}
    return found


@dataclass(slots=True)
class _Room:
    """What may still be read of an archive; what was read and thrown away counts too."""

    size: int
    values: int


def _read(
    files: ZipFile, name: str, room: _Room, hide: Callable[[JsonValue], JsonValue]
) -> SampleScores | None:
    samples = SampleScores()
    with files.open(name) as file:
        for _ in range(MAX_ITEMS):
            if not (line := file.readline(MAX_LINE_BYTES + 1)):
                return samples
            room.size -= len(line)
            if len(line) > MAX_LINE_BYTES or room.size < 0 or parts_of(line) > MAX_LINE_PARTS:
                return None
            try:
                room.values -= samples.add(hide(json.loads(line)))
            except (ValueError, RecursionError):
                return None
            if room.values < 0 or samples.scores > MAX_SCORES:
                return None
        return None if file.readline(1) else samples
