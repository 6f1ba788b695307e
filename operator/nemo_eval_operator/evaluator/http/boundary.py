"""The one place where unexpected exceptions about an evaluator's answer become an EvaluatorError.

Known failures get their meaning in `client`. This is for the others: a parser that raises UnicodeEncodeError
must not end the loop that made the call.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from nemo_eval_operator.evaluator.model import EvaluatorError, Malformed
from nemo_eval_operator.traces import trace_of

from .faults import fault_of

__all__ = ["only_evaluator_errors"]

logger = logging.getLogger(__name__)


@contextmanager
def only_evaluator_errors(request: str) -> Iterator[None]:
    """Raise any other exception as Malformed; `request` is method and path.

    The log gets the trace. Neither the log nor the error gets the exception's message, which may hold what
    was sent and what came back.
    """
    try:
        yield
    except EvaluatorError:
        raise
    except Exception as error:
        logger.error(  # noqa: TRY400 - a trace with messages may show credentials
            "%s: unexpected exception, please report it: %s", request, trace_of(error)
        )
        raise Malformed(
            f"{request}: the answer cannot be processed ({type(error).__name__}): see the operator's log",
            fault=fault_of(error),
        ) from error
