"""Log files in the ZIP archive that the evaluator answers with. It is not trusted: all of it is bounded."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Final
from zipfile import ZipFile

from nemo_eval_operator.evaluator.model import readable
from nemo_eval_operator.gates import ARCHIVE_ERRORS, COMPRESSIONS, has_few_entries

__all__ = ["LogUnreadable", "NewLines", "log_files"]

MAX_FILES: Final = 50
"""Files of one archive that are shown."""

MAX_LOG_BYTES: Final = 64 * 1024 * 1024
"""Of all files together, uncompressed; the rest is left out."""

MAX_LINE_CHARACTERS: Final = 10_000

ENDINGS: Final = (".txt", ".log", ".out", ".err")
"""Of files that are text."""

ESCAPE_SEQUENCES: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Colours, movements and titles of terminals (ECMA-48 CSI and OSC), removed as a whole."""


class LogUnreadable(Exception):
    """The answer is not an archive that can be read; the message says why."""


def log_files(archive: bytes) -> tuple[dict[str, str], list[str]]:
    """Return the text of each log file by its name, and notes on what is left out. Raises LogUnreadable."""
    if not has_few_entries(archive):
        raise LogUnreadable("the archive has too many files")
    texts: dict[str, str] = {}
    notes: list[str] = []
    left = MAX_LOG_BYTES
    try:
        with ZipFile(io.BytesIO(archive)) as files:
            entries = [one for one in files.infolist() if one.filename.endswith(ENDINGS)]
            if len(entries) > MAX_FILES:
                notes.append(f"only {MAX_FILES} of {len(entries)} files are shown")
            for entry in entries[:MAX_FILES]:
                if entry.compress_type not in COMPRESSIONS:
                    raise LogUnreadable(f"{readable(entry.filename, 200)} has an unknown compression")
                with files.open(entry) as file:
                    content = file.read(left + 1)
                if len(content) > left:
                    notes.append(f"only the first {MAX_LOG_BYTES >> 20} MiB are shown")
                texts[entry.filename] = content[:left].decode("utf-8", "replace")
                left = max(left - len(content), 0)
    except ARCHIVE_ERRORS as error:
        raise LogUnreadable("it is not a ZIP archive, or is damaged or encrypted") from error
    return texts, notes


class NewLines:
    """Finds the lines that a log has more than at the call before, and makes them fit for a terminal."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide
        """Masks known secrets."""
        self._shown: dict[str, int] = {}
        """Lines that were returned, by file."""
        self._last = ""
        """The file of the last line."""

    def of(self, files: dict[str, str], *, complete: bool, tail: int | None = None) -> Iterator[str]:
        """Return new lines; one that is not ended yet only where the log is `complete`.

        `tail`: of each file that is new, only so many lines at its end.
        """
        for name, text in files.items():
            # Not str.splitlines: it also ends lines at characters that are replaced.
            lines = text.replace("\r\n", "\n").split("\n")
            if not complete or not lines[-1]:
                lines.pop()
            start = self._shown.get(name)
            if start is None:
                start = 0 if tail is None else max(len(lines) - tail, 0)
            elif start > len(lines):
                # The file was begun again.
                start = 0
            self._shown[name] = max(len(lines), start)
            if len(lines) > start and len(files) > 1 and name != self._last:
                yield f"==> {readable(name, 200)} <=="
            if len(lines) > start:
                self._last = name
            yield from map(self._line, lines[start:])

    def _line(self, line: str) -> str:
        shown = self._hide(ESCAPE_SEQUENCES.sub("", line[: 2 * MAX_LINE_CHARACTERS]))
        cut = "…" if len(line) > MAX_LINE_CHARACTERS else ""
        return readable(shown.expandtabs(), MAX_LINE_CHARACTERS) + cut
