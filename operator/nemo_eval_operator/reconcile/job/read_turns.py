"""Turns to read large answers of evaluators: all at the same time would not fit into memory."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Final

from nemo_eval_operator.fair_turns import FairTurns
from nemo_eval_operator.lifecycle.job import evaluator_of_record
from nemo_eval_operator.resources import NemoEvalJob

__all__ = ["ReadTurns"]

OWN: Final = 1
"""Answers of the operator's own evaluator that are read at the same time."""

OF_CONNECTIONS: Final = 2
"""Answers of connections' evaluators that are read at the same time, one of each namespace's connections."""


class ReadTurns:
    """Reads from the operator's own evaluator do not wait for connections, nor one tenant's for another's."""

    def __init__(self) -> None:
        self._own = FairTurns(OWN)
        self._of_connections = FairTurns(OF_CONNECTIONS)
        self.parsing = asyncio.Lock()
        """Lock to be held while an answer is parsed, which takes five times its size, but not while it is
        read, which takes as long as the evaluator likes."""

    def read(self, job: NemoEvalJob) -> AbstractAsyncContextManager[None]:
        """Wait for a turn to read from the evaluator that runs `job`, and hold it."""
        used = evaluator_of_record(job)
        if used is None or used.connection is None:
            return self._own.turn(job.metadata.namespace)
        namespace, _, _ = used.connection.partition("/")
        return self._of_connections.turn(namespace)
