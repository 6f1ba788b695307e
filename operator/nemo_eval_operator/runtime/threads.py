"""Computations that may take long: in a thread, so that other tasks do not wait, unless their input is small.

To hand a computation to a thread costs a third of a millisecond of CPU, and nearly all are shorter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from pydantic import JsonValue

__all__ = ["SMALL_VALUES", "compute", "is_small"]

SMALL_VALUES: Final = 500
"""JSON values in an input that is computed at once."""

SMALL_CHARACTERS: Final = 16 * 1024
"""Characters of the strings and keys of an input that is computed at once."""

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


async def compute(
    at_once: bool,
    function: Callable[ArgumentsT, ResultT],
    *args: ArgumentsT.args,
    **kwargs: ArgumentsT.kwargs,
) -> ResultT:
    """Return the function's result; `at_once`: its input is small, so that no thread is needed."""
    if at_once:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)


def is_small(document: JsonValue) -> bool:
    """Return whether a computation over the document takes a few milliseconds at most."""
    values, characters, left = 1, 0, [document]
    while left:
        value = left.pop()
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, dict):
            values += len(value)
            # Not copied before it is known to be small.
            if values <= SMALL_VALUES:
                characters += sum(map(len, value))
                left.extend(value.values())
        elif isinstance(value, list):
            values += len(value)
            if values <= SMALL_VALUES:
                left.extend(value)
        if values > SMALL_VALUES or characters > SMALL_CHARACTERS:
            return False
    return True
