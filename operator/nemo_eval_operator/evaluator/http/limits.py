"""Bounds of what is read from an evaluator in one answer, and the encoding in which it is requested."""

from __future__ import annotations

from typing import Final

from .bodies import Bounds

__all__ = [
    "ARCHIVE_BOUNDS",
    "DOWNLOAD_SECONDS",
    "MAX_RESULTS_BYTES",
    "MAX_STALE_PAGES",
    "ONE_BOUNDS",
    "PAGE_BOUNDS",
    "PLAIN",
    "RESULTS_PARTS",
]

MIB: Final = 1024 * 1024

MAX_RESULTS_BYTES: Final = 32 * MIB
"""Results with all their rows; more than that would never fit into a ConfigMap, nor several into memory."""

RESULTS_PARTS: Final = 1_000_000

ARCHIVE_BOUNDS: Final = Bounds(size=32 * MIB, parts=0)
"""The files that a job left or its log, compressed. They are read one job at a time."""

DOWNLOAD_SECONDS: Final = 30.0
"""Seconds for these files: a run completes without them too, while other jobs wait for their turn."""

PAGE_BOUNDS: Final = Bounds(size=8 * MIB, parts=320_000)
"""A page of a list; one that exceeds them is asked for with fewer jobs. The smallest pages fit."""

MAX_STALE_PAGES: Final = 100
"""Pages in a row without a new job. Jobs that are created while pages are read move known ones to later
pages, but not far."""

ONE_BOUNDS: Final = Bounds(size=3 * MIB, parts=150_000)
"""An answer about one job or config. A job embeds its config and its target: two specs of at most 256 KiB,
which escapes make three times as long, and 10,000 values (`resources.limits`) of up to 5 parts: `{},`. Rows
of ConfigMaps (`lifecycle.datasets`) add 1 MiB, which base64 makes a third longer, and 50,000 parts."""

PLAIN: Final = {"Accept-Encoding": "identity"}
"""Compressed bodies are not asked for: a kilobyte on the wire can be a megabyte in memory."""
