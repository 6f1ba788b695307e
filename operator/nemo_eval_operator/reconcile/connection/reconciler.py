"""NemoEvaluatorConnections: report whether the evaluator answers, and queue what depends on a change."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.evaluator.model import EvaluatorError
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import KubeClient, ObjectGone, ObjectKey, key_of
from nemo_eval_operator.lifecycle import FINALIZER, Operation, read_benchmark, read_connection, read_job
from nemo_eval_operator.lifecycle.connection import Hold, Needs, hold_of, needs_of
from nemo_eval_operator.lifecycle.connection import status as connection_status
from nemo_eval_operator.lifecycle.job import EvaluatorUnusable
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.reconcile.objects import (
    FINALIZER_RECHECK_SECONDS,
    FinalizerRefused,
    ObjectWriter,
    Problem,
    is_selected,
    problem_of,
)
from nemo_eval_operator.reconcile.secrets import SECRET_RECHECK_SECONDS
from nemo_eval_operator.resources import (
    ANY_NAMESPACE,
    BENCHMARK_PLURAL,
    EVALJOB_PLURAL,
    LabelSelector,
    NemoEvaluatorConnection,
    ObjectMeta,
)
from nemo_eval_operator.runtime.backoff import spread
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import Evaluator, EvaluatorResolver, Evaluators, connection_key
from nemo_eval_operator.workqueue import RetryLater, WorkQueue

__all__ = ["ConnectionReconciler"]

logger = logging.getLogger(__name__)

RESYNC_SECONDS: Final = 60.0
"""Seconds between two checks of an unused evaluator, and between two reads of Secrets."""

COUNTS_SECONDS: Final = 3.0
"""Seconds between two comparisons of the numbers of jobs. Each change of them is a write of status."""


NEEDS_RECHECK_SECONDS: Final = 2.0
"""Seconds between two counts of the objects that need a deleted connection: a user waits for its deletion."""

NEEDS_SHARE: Final = 9
"""A count that takes long is repeated after this many times its own duration, a tenth of the time."""

MAX_NAMESPACES: Final = 10
"""Listed one by one; objects of more namespaces are counted in a list of the whole cluster."""


class ConnectionReconciler:
    """Reconciler of connections. It writes no status of a connection that another operator manages."""

    def __init__(
        self,
        *,
        kube: KubeClient,
        evaluators: Evaluators,
        resolver: EvaluatorResolver,
        queue: WorkQueue,
        metrics: Metrics,
        selector: LabelSelector,
        namespaces: Sequence[str],
    ) -> None:
        self._kube = kube
        self._evaluators = evaluators
        self._resolver = resolver
        self._queue = queue
        self._selector = selector
        self._namespaces = namespaces
        self._objects = ObjectWriter(kube, metrics)
        self._states = queue.states

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Reconcile the connection; return the seconds until the next time. Raises RetryLater, KubeError."""
        document, too_large = await self._kube.read(key)
        if document is None:
            self._evaluators.close(key, f"NemoEvaluatorConnection {key.namespace}/{key.name} is gone")
            if self._states.read(key).generation is not None:
                await self._wake(key)
            self._states.forget(key)
            return None
        connection, unreadable = read_connection(document)
        meta = connection.metadata
        if self._states.read(key).generation != (meta.uid, meta.generation):
            await self._wake(key)
            self._states.of(key).generation = (meta.uid, meta.generation)
        watched = not self._namespaces or key.namespace in self._namespaces
        ours = watched and is_selected(document, self._selector)
        try:
            return await self._pursue(key, connection, problem_of(unreadable, too_large), ours=ours)
        except ObjectGone:
            return None

    async def _pursue(
        self, key: ObjectKey, connection: NemoEvaluatorConnection, problem: Problem | None, *, ours: bool
    ) -> float | None:
        """Raises ObjectGone as well, also while a refusal is being written."""
        meta = connection.metadata
        try:
            if ours and meta.deletion_timestamp is not None and FINALIZER in meta.finalizers:
                return await self._let_go(key, connection, meta.deletion_timestamp)
            if problem is not None:
                reason, message = problem
                status = connection_status.unreadable(connection, _now(), message, reason=reason)
                if ours:
                    await self._objects.record(connection, status)
                return None
            if ours and meta.deletion_timestamp is None and FINALIZER not in meta.finalizers:
                connection = await self._objects.hold(connection)
            return await self._look(key, connection, ours=ours)
        except FinalizerRefused as refused:
            status = connection_status.unreadable(connection, _now(), str(refused), reason=refused.reason)
            await self._objects.record(connection, status)
            raise RetryLater(at_most=FINALIZER_RECHECK_SECONDS) from refused

    async def _look(self, key: ObjectKey, connection: NemoEvaluatorConnection, *, ours: bool) -> float:
        evaluator = await self._evaluators.of(connection, afresh=True)
        trouble = await self._trouble_of(evaluator, connection)
        if ours:
            await self._tell(key, connection, evaluator, trouble)
        if trouble is not None:
            # A corrected Secret or certificate causes no event.
            raise RetryLater(at_most=SECRET_RECHECK_SECONDS)
        return spread(RESYNC_SECONDS)

    async def _let_go(
        self, key: ObjectKey, connection: NemoEvaluatorConnection, deleted: datetime
    ) -> float | None:
        """Keep a deleted connection while objects need it: without it their jobs could not be cancelled."""
        begun = time.monotonic()
        needs = needs_of([hold async for hold in self._holds(connection, deleted)], _now())
        if needs is None:
            await self._objects.release(connection)
            return None
        pause = max(NEEDS_RECHECK_SECONDS, NEEDS_SHARE * (time.monotonic() - begun))
        evaluator = await self._evaluators.of(connection)
        trouble = await self._trouble_of(evaluator, connection)
        await self._tell(key, connection, evaluator, trouble, needs)
        return pause

    async def _holds(self, connection: NemoEvaluatorConnection, deleted: datetime) -> AsyncIterator[Hold]:
        """Return the jobs and benchmarks of the watched namespaces that hold the connection."""
        for namespace in self._namespaces_of(connection):
            for plural in (EVALJOB_PLURAL, BENCHMARK_PLURAL):
                async for document in self._kube.list_all(plural, namespace):
                    if not _is_held(document):
                        continue
                    read = read_job if plural == EVALJOB_PLURAL else read_benchmark
                    if hold := hold_of(connection, read(document)[0], deleted):
                        yield hold

    def _namespaces_of(self, connection: NemoEvaluatorConnection) -> Sequence[str | None]:
        """Return the namespaces to read; None is the whole cluster."""
        allowed = {connection.metadata.namespace, *connection.spec.allowed_namespaces}
        if self._namespaces:
            return [namespace for namespace in self._namespaces if connection.allows_namespace(namespace)]
        if ANY_NAMESPACE in allowed or len(allowed) > MAX_NAMESPACES:
            return [None]
        return sorted(allowed)

    async def _trouble_of(
        self, evaluator: Evaluator | EvaluatorUnusable, connection: NemoEvaluatorConnection
    ) -> EvaluatorUnusable | None:
        """Return why the evaluator does not answer. While its breaker is open, only the breaker probes it."""
        if isinstance(evaluator, EvaluatorUnusable):
            return evaluator
        breaker = evaluator.breaker
        if breaker.error is None:
            try:
                await evaluator.client.check()
            except EvaluatorError as error:
                await breaker.record_failure(error, Operation.CHECK)
        if breaker.error is not None:
            return connection_status.trouble_of(breaker.error, connection)
        if (failure := evaluator.bulkhead.failure) is not None:
            return EvaluatorUnusable(Reason.INTERNAL_ERROR, failure)
        return None

    async def _tell(
        self,
        key: ObjectKey,
        connection: NemoEvaluatorConnection,
        evaluator: Evaluator | EvaluatorUnusable,
        trouble: EvaluatorUnusable | None,
        needs: Needs | None = None,
    ) -> None:
        counts = (0, 0) if isinstance(evaluator, EvaluatorUnusable) else _counts(evaluator)
        status = connection_status.standing(
            connection,
            _now(),
            trouble,
            siblings=await self._resolver.connections(key.namespace),
            running=counts[0],
            waiting=counts[1],
            needs=needs,
        )
        before = connection.status
        connection = await self._objects.record(connection, status)
        self._states.of(key).counts = counts
        for event in connection_status.events_of_connection(before, status):
            await self._objects.post_event(connection, event)

    async def _wake(self, changed: ObjectKey) -> None:
        """Those who may have another evaluator now, and the connections that it shares the namespace with."""
        self._resolver.invalidate(changed.namespace)
        for key in self._resolver.depending_on(changed):
            self._queue.add(key)
        for sibling in await self._resolver.connections(changed.namespace):
            if sibling.spec.default and key_of(sibling) != changed:
                self._queue.add(key_of(sibling))

    async def keep_counts(self, heartbeat: Heartbeat) -> None:
        """Queue the connections whose numbers of jobs have changed, until cancelled."""
        while True:
            heartbeat.rest(COUNTS_SECONDS)
            await asyncio.sleep(COUNTS_SECONDS)
            for evaluator in self._evaluators:
                name = evaluator.used.connection
                if name is None:
                    continue
                key = connection_key(name)
                if self._states.read(key).counts not in {None, _counts(evaluator)}:
                    self._queue.add(key)


def _is_held(document: JsonObject) -> bool:
    return FINALIZER in ObjectMeta.model_validate(document.get("metadata")).finalizers


def _counts(evaluator: Evaluator) -> tuple[int, int]:
    return evaluator.slot_pool.running, len(evaluator.waiting)


def _now() -> datetime:
    return datetime.now(UTC)
