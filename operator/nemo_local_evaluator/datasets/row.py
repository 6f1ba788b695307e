"""What a row is, everywhere in this program, and how large one may be."""

from typing import Any, Final

Row = dict[str, Any]
"""What JSON can carry, wherever it came from."""

SizedRow = tuple[Row, int]
"""A row, and about how many bytes it took in its file."""

MAX_ROW_BYTES: Final = 16 * 1024 * 1024
"""A longer row is refused: rows are what memory is bounded by. A model's context is a small part of it."""
