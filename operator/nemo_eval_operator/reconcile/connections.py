"""NemoEvaluatorConnections: say whether the evaluator answers, and tell those who depend on a change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.backoff import spread
from nemo_eval_operator.evaluator import EvaluatorError
from nemo_eval_operator.heartbeats import Heartbeat
from nemo_eval_operator.kube import KubeClient, ObjectGone, ObjectKey
from nemo_eval_operator.lifecycle import EvaluatorUnusable, connection_status, read_connection
from nemo_eval_operator.metrics import Metrics
from nemo_eval_operator.resources import LabelSelector, NemoEvaluatorConnection

from .choosing import Chooser
from .evaluators import Evaluator, Evaluators, connection_key
from .objects import ObjectWriter, is_selected, key_of, problem_of, read_object
from .queue import RetryLater, WorkQueue
from .secrets import SECRET_RECHECK_SECONDS

__all__ = ["ConnectionReconciler"]

logger = logging.getLogger(__name__)

RESYNC_SECONDS: Final = 60.0
"""How often an evaluator that nobody uses is asked whether it is there, and Secrets are read anew."""

COUNTS_SECONDS: Final = 3.0
"""Between two looks at the numbers of jobs. Each change of them is a write, so not at each job."""


class ConnectionReconciler:
    """Looks at one connection at a time. Of one that another operator takes care of, no status is written."""

    def __init__(
        self,
        *,
        kube: KubeClient,
        evaluators: Evaluators,
        chooser: Chooser,
        queue: WorkQueue,
        metrics: Metrics,
        selector: LabelSelector,
        namespaces: Sequence[str],
    ) -> None:
        self._kube = kube
        self._evaluators = evaluators
        self._chooser = chooser
        self._queue = queue
        self._selector = selector
        self._namespaces = namespaces
        self._objects = ObjectWriter(kube, metrics)
        self._known: dict[ObjectKey, tuple[str, int]] = {}
        """uid and generation of each connection when it was looked at last."""
        self._told: dict[ObjectKey, tuple[int, int]] = {}

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Seconds until it wants to be looked at again. Raises RetryLater, KubeError."""
        document, too_large = await read_object(self._kube, key)
        if document is None:
            self._evaluators.retire(key, f"NemoEvaluatorConnection {key.namespace}/{key.name} is gone")
            self._told.pop(key, None)
            if key in self._known:
                await self._wake(key)
                del self._known[key]
            return None
        connection, unreadable = read_connection(document)
        meta = connection.metadata
        if self._known.get(key) != (meta.uid, meta.generation):
            await self._wake(key)
            self._known[key] = (meta.uid, meta.generation)
        watched = not self._namespaces or key.namespace in self._namespaces
        ours = watched and is_selected(document, self._selector)
        try:
            if problem := problem_of(unreadable, too_large):
                reason, message = problem
                status = connection_status.unreadable(connection, _now(), message, reason=reason)
                if ours:
                    await self._objects.record(connection, status)
                return None
            return await self._look(key, connection, ours=ours)
        except ObjectGone:
            return None

    async def _look(self, key: ObjectKey, connection: NemoEvaluatorConnection, *, ours: bool) -> float:
        evaluator = await self._evaluators.of(connection, afresh=True)
        trouble = await self._trouble_of(evaluator, connection)
        if ours:
            await self._tell(key, connection, evaluator, trouble)
        if trouble is not None:
            # Also of a Secret or certificate that somebody mends nobody tells us.
            raise RetryLater(at_most=SECRET_RECHECK_SECONDS)
        return spread(RESYNC_SECONDS)

    async def _trouble_of(
        self, evaluator: Evaluator | EvaluatorUnusable, connection: NemoEvaluatorConnection
    ) -> EvaluatorUnusable | None:
        """Why the evaluator does not answer. While its gate is closed, that one probes and nobody else."""
        if isinstance(evaluator, EvaluatorUnusable):
            return evaluator
        gate = evaluator.gate
        if gate.error is None:
            try:
                await evaluator.client.check()
            except EvaluatorError as error:
                gate.close(error)
        if gate.error is not None:
            return connection_status.trouble_of(gate.error, connection)
        if (failure := evaluator.bulkhead.failure) is not None:
            return EvaluatorUnusable("InternalError", failure)
        return None

    async def _tell(
        self,
        key: ObjectKey,
        connection: NemoEvaluatorConnection,
        evaluator: Evaluator | EvaluatorUnusable,
        trouble: EvaluatorUnusable | None,
    ) -> None:
        counts = (0, 0) if isinstance(evaluator, EvaluatorUnusable) else _counts(evaluator)
        status = connection_status.standing(
            connection,
            _now(),
            trouble,
            siblings=await self._chooser.connections(key.namespace),
            running=counts[0],
            waiting=counts[1],
        )
        before = connection.status
        connection = await self._objects.record(connection, status)
        self._told[key] = counts
        for event in connection_status.events_of_connection(before, status):
            await self._objects.tell(connection, event)

    async def _wake(self, changed: ObjectKey) -> None:
        """Those who may have another evaluator now, and the connections that it shares the namespace with."""
        self._chooser.learn(changed.namespace)
        for key in self._chooser.depending_on(changed):
            self._queue.add(key)
        for sibling in await self._chooser.connections(changed.namespace):
            if sibling.spec.default and key_of(sibling) != changed:
                self._queue.add(key_of(sibling))

    async def keep_counts(self, heartbeat: Heartbeat) -> None:
        """For ever: queue the connections whose numbers of jobs have changed."""
        while True:
            heartbeat.rest(COUNTS_SECONDS)
            await asyncio.sleep(COUNTS_SECONDS)
            for evaluator in self._evaluators:
                name = evaluator.used.connection
                if name is None:
                    continue
                key = connection_key(name)
                if key in self._told and self._told[key] != _counts(evaluator):
                    self._queue.add(key)


def _counts(evaluator: Evaluator) -> tuple[int, int]:
    return evaluator.admission.running, len(evaluator.waiting)


def _now() -> datetime:
    return datetime.now(UTC)
