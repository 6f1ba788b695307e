"""Stack traces for the log, in one line and without the messages of their exceptions.

A message may quote what an evaluator sent, or a header with a credential; frames show only where it was.
"""

from __future__ import annotations

import traceback
from pathlib import Path

__all__ = ["trace_of"]


def trace_of(error: BaseException) -> str:
    """Return types and frames of `error` and of the exceptions that led to it, the innermost first."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.insert(0, link)
        link = link.__cause__ or link.__context__
    return ", then ".join(f"{type(link).__qualname__} in {_frames(link)}" for link in chain)


def _frames(error: BaseException) -> str:
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return " < ".join(f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})" for frame in frames)
