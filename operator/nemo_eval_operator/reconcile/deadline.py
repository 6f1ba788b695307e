"""Deletions are bounded: what they need of the evaluator is given up after a time, and whatever it raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from nemo_eval_operator.evaluator.model import Ambiguous, EvaluatorError
from nemo_eval_operator.kube import KubeError
from nemo_eval_operator.traces import trace_of
from nemo_eval_operator.workqueue import RetryLater, WaitInLane

__all__ = ["limit"]

logger = logging.getLogger(__name__)

LAST_TRY_SECONDS: Final = 5.0
"""Seconds that a deletion which is found late still gives the evaluator to answer."""


@asynccontextmanager
async def limit(left: float | None) -> AsyncIterator[None]:
    """Limit the block to `left` seconds; None, where nothing is being deleted: no limit.

    Raises Ambiguous after that. In a deletion every unexpected exception becomes Ambiguous too: it would
    recur at each retry, and its object would never be released. Errors of the Kubernetes API are not changed.
    """
    try:
        async with asyncio.timeout(None if left is None else max(LAST_TRY_SECONDS, left)):
            yield
    except TimeoutError as error:
        raise Ambiguous("the deletion has no more time to wait for the evaluator") from error
    except (EvaluatorError, KubeError, RetryLater, WaitInLane):
        raise
    except Exception as error:
        if left is None:
            raise
        logger.error(  # noqa: TRY400 - a trace with messages may show credentials
            "unexpected exception in a deletion, please report it: %s", trace_of(error)
        )
        raise Ambiguous(f"internal error ({type(error).__name__}): see the operator's log") from error
