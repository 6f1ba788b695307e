"""Stack traces for the log without the messages of their exceptions.

A message may quote what an evaluator sent, or a header with a credential; the frames show our source lines
and no values.
"""

from __future__ import annotations

import traceback

__all__ = ["trace_of"]


def trace_of(error: BaseException) -> str:
    """Return the frames and types of `error` and of the exceptions that led to it, the first one first."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.insert(0, link)
        link = link.__cause__ or link.__context__
    return "\n".join(
        "".join(traceback.format_tb(link.__traceback__)) + type(link).__qualname__ for link in chain
    )
