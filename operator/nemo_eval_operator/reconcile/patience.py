"""Deletions are bounded: what they ask of the evaluator has to be answered in the time that is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from nemo_eval_operator.evaluator import Ambiguous

__all__ = ["within"]

LAST_TRY_SECONDS: Final = 5.0
"""What a deletion that is found late, or has no time of its own, still gives the evaluator to answer."""


@asynccontextmanager
async def within(left: float | None) -> AsyncIterator[None]:
    """Give up what is done inside after `left` seconds; None: never. Raises Ambiguous then."""
    try:
        async with asyncio.timeout(None if left is None else max(LAST_TRY_SECONDS, left)):
            yield
    except TimeoutError as error:
        raise Ambiguous("the deletion has no more time to wait for the evaluator") from error
