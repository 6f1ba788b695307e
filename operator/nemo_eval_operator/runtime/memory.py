"""What becomes of memory that is freed."""

from __future__ import annotations

import ctypes
from typing import Final

__all__ = ["return_large_blocks"]

LARGE_BLOCK_BYTES: Final = 128 * 1024
"""Size from which a block of memory is mapped by itself: glibc's own value when a process starts."""

_M_MMAP_THRESHOLD: Final = -3
"""Name of that parameter in glibc's malloc.h."""


def return_large_blocks() -> None:
    """Let the C library return large blocks, such as pages of the evaluator's list, when they are freed.

    By itself glibc takes blocks of up to the size of the largest one that was freed (32 MiB at most) from the
    heap, where they leave holes that stay with the process. Other C libraries have no such parameter.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
