"""The session with one evaluator: what belongs to it, and the settings that it is opened with.

All state about one evaluator is in its session and nowhere else, so that an evaluator that is down, slow or
full holds up only the jobs that use it. The factory opens sessions, the registry keeps them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from nemo_eval_operator.evaluator.http import EvaluatorClient, ReplaceableTransport
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle.job import evaluator_of_record
from nemo_eval_operator.resources import (
    CONNECTION_PLURAL,
    EvaluatorUsed,
    NemoEvalJob,
    NemoEvaluatorConnection,
)

from .bulkhead import Bulkhead
from .circuit_breaker import CircuitBreaker
from .orphans import Orphans
from .slot_pool import SlotPool
from .tracker import JobTracker

__all__ = ["CONNECTIONS", "ConnectionSettings", "Evaluator", "Opened", "connection_key"]

CONNECT_SECONDS: Final = 5.0
"""Time-out of connecting, unless the connection sets spec.timeouts.connectSeconds."""

CONNECTIONS: Final = 32
"""Maximum open HTTP connections to one evaluator: for submissions and the poller together."""


@dataclass(slots=True, kw_only=True)
class Evaluator:
    """Session with one NeMo Evaluator: its client, the jobs that run on it and the jobs that wait for it."""

    used: EvaluatorUsed
    client: EvaluatorClient
    breaker: CircuitBreaker
    tracker: JobTracker
    slot_pool: SlotPool
    bulkhead: Bulkhead = field(default_factory=Bulkhead)
    orphans: Orphans = field(init=False)
    waiting: set[ObjectKey] = field(default_factory=set)
    """Jobs that are to be submitted to it, whether they are queued already or wait for something else."""

    def __post_init__(self) -> None:
        self.orphans = Orphans(self.slot_pool, self.tracker, connection=self.used.connection)
        # A slot is free once its remote job has ended, whether or not that can be written into a status.
        self.tracker.on_over = self.slot_pool.end

    def has(self, job: NemoEvalJob) -> bool:
        """Return whether `job` was submitted to this evaluator."""
        used = evaluator_of_record(job)
        return used == self.used or (self.used.connection is None and not (used and used.connection))


class ConnectionSettings(NamedTuple):
    """Settings of a connection that need a new session when they change."""

    url: str
    connect_seconds: float
    request_seconds: float | None
    poll_interval_seconds: float | None

    @classmethod
    def of(cls, connection: NemoEvaluatorConnection) -> ConnectionSettings:
        timeouts = connection.spec.timeouts
        return cls(
            url=connection.url,
            connect_seconds=timeouts.connect_seconds if timeouts else CONNECT_SECONDS,
            request_seconds=timeouts.request_seconds if timeouts else None,
            poll_interval_seconds=connection.spec.poll_interval_seconds,
        )


@dataclass(slots=True, kw_only=True)
class Opened:
    """An open session and its transport; `close` ends the session's loops."""

    evaluator: Evaluator
    transport: ReplaceableTransport
    close: Callable[[], None]


def connection_key(name: str) -> ObjectKey:
    """Return the key of a connection as statuses name it: NAMESPACE/NAME."""
    namespace, _, name = name.partition("/")
    return ObjectKey(CONNECTION_PLURAL, namespace, name)
