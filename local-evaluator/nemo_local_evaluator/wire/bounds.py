"""Limits of a document's size: in bytes, and in parts, which are counted before the text is parsed.

Each object, list and value takes up to 300 bytes of memory once it is parsed, validated and copied, and as
little as two characters of text: 60 MB of `[],` took 5.7 GB.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "MAX_PARTS",
    "TOO_LARGE",
    "TOO_MANY_PARTS",
    "has_too_many_parts",
    "separators",
]

MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one request's body and of one stored config, target or result; larger datasets are files."""

MAX_PARTS: Final = 250_000
"""Objects, lists and commas outside strings of one document; 10,000 rows of 20 columns have 210,000."""

_INSTEAD: Final = "put rows into a file and name it in files_url"
TOO_LARGE: Final = f"the document is larger than {MAX_DOCUMENT_BYTES // 1024**2} MiB; {_INSTEAD}"
TOO_MANY_PARTS: Final = f"the document has more than {MAX_PARTS:,} objects, lists and values; {_INSTEAD}"

# A string that does not end reaches to the end of the text: the scan stays linear whatever the text is.
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[{,\]}]', re.DOTALL)


def separators(text: str | bytes, start: int = 0) -> int:
    """Return how many brackets open and commas stand in `text` from `start` on, within strings too."""
    if isinstance(text, bytes):
        return text.count(b"[", start) + text.count(b"{", start) + text.count(b",", start)
    return text.count("[", start) + text.count("{", start) + text.count(",", start)


def has_too_many_parts(text: str, *, start: int = 0, most: int = MAX_PARTS) -> bool:
    """Return whether the value at `start` has more than `most` objects, lists and commas outside strings."""
    if separators(text, start) <= most:
        return False
    parts = strings = depth = 0
    for token in _TOKEN.finditer(text, start):
        match token[0][0]:
            case '"':
                strings += 1
            case "]" | "}":
                depth -= 1
            case mark:
                parts += 1
                depth += mark != ","
        # Valid JSON has at most two strings for each part; other text need not be read to its end.
        if parts > most or strings > 2 * (most + 1):
            return True
        if depth <= 0:
            return False
    return False
