"""Finds the evaluator that a job or benchmark is about; the rules are `lifecycle.evaluators`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

from pydantic import ValidationError

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import KubeClient, KubeRefused, ObjectKey, key_of
from nemo_eval_operator.lifecycle import claimed_evaluator, read_connection
from nemo_eval_operator.lifecycle.connection import (
    connection_name,
    defaults_among,
    is_bound,
    mismatch,
    moved,
    not_allowed,
    not_found,
    referred_connection,
    terminating,
    unreadable,
)
from nemo_eval_operator.lifecycle.connection import status as connection_status
from nemo_eval_operator.lifecycle.job import EvaluatorUnusable, evaluator_of_record
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import (
    CONNECTION_PLURAL,
    EvaluatorRef,
    EvaluatorUsed,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
)
from nemo_eval_operator.workqueue import ObjectStates

from .registry import Evaluators
from .session import connection_key

__all__ = ["EvaluatorResolver"]

BELIEVED_SECONDS: Final = 2.0
"""Seconds for which a read of connections is used: a thousand jobs need one read, not a thousand."""

MANY_CONNECTIONS: Final = 200
"""Connections of one namespace beyond which their list is read less often, also after changes."""

REST_PER_CONNECTION: Final = 0.001
"""Seconds between two reads of such a list for each connection in it, ten times what reading it takes."""

MAX_LISTS: Final = 1000
"""Namespaces whose connections are kept: objects may name namespaces that do not exist."""

Chosen = EvaluatorUsed | EvaluatorUnusable


class _Listed:
    """The connections of one namespace, and what each job needs of them at hand. Times are monotonic."""

    def __init__(self, begun: float, ended: float, connections: Sequence[NemoEvaluatorConnection]) -> None:
        self.begun = begun
        self.all = connections
        self.by_name = {connection.metadata.name: connection for connection in connections}
        self.default = next(iter(defaults_among(connections)), None)
        self.is_large = len(connections) > MANY_CONNECTIONS
        self._rests_until = ended + len(connections) * REST_PER_CONNECTION if self.is_large else begun
        self._believed_until = max(begun + BELIEVED_SECONDS, self._rests_until)

    def is_old(self, now: float) -> bool:
        return now > self._believed_until

    def doubt(self) -> bool:
        """A connection was changed: the list is not used from now on, or from when the next one may be read.

        Returns whether it is of no use any more.
        """
        self._believed_until = self._rests_until
        return not self.is_large


class _Dependents:
    """Index of objects by the connection that they use, in both directions."""

    def __init__(self, states: ObjectStates) -> None:
        self._states = states
        states.on_forget(self.discard)
        self._objects: dict[str, dict[ObjectKey, None]] = {}

    def put(self, key: ObjectKey, connection: str | None) -> None:
        """The object names that connection, or (None) the default of its namespace."""
        name = f"{key.namespace}/" if connection is None else connection
        state = self._states.of(key)
        if state.connection != name:
            self.discard(key)
            state.connection = name
            self._objects.setdefault(name, {})[key] = None

    def discard(self, key: ObjectKey) -> None:
        name = self._states.read(key).connection
        if name is not None:
            self._states.of(key).connection = None
            del self._objects[name][key]
            if not self._objects[name]:
                del self._objects[name]

    def of(self, connection: ObjectKey) -> list[ObjectKey]:
        names = (f"{connection.namespace}/{connection.name}", f"{connection.namespace}/")
        return [key for name in names for key in self._objects.get(name, ())]


class EvaluatorResolver:
    """Reads connections by name and by namespace, and keeps which objects depend on which."""

    def __init__(self, kube: KubeClient, evaluators: Evaluators) -> None:
        self._kube = kube
        self._evaluators = evaluators
        self._lists: dict[str, _Listed] = {}
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Locks by namespace: of several workers one reads for all."""
        self._depending = _Dependents(evaluators.states)
        """Objects that may still choose another evaluator."""

    async def of_job(self, job: NemoEvalJob, benchmark: NemoBenchmark | None) -> Chosen:
        """Return the evaluator of a job; `benchmark` is its ready benchmark. Raises KubeError."""
        key, namespace, ref = key_of(job), job.metadata.namespace, job.spec.evaluator_ref
        if is_bound(job) or job.metadata.deletion_timestamp is not None:
            record = evaluator_of_record(job)
            self._depending.put(key, record.connection if record else None)
            return await self._as_recorded(record, namespace)
        if benchmark is None:
            return await self._chosen(key, ref, namespace)
        used = benchmark.status.evaluator
        if ref is not None:
            wanted = referred_connection(ref, namespace)
            self._depending.put(key, wanted)
            if problem := mismatch(wanted, benchmark):
                return problem
        self._depending.put(key, used.connection if used else None)
        chosen = await self._as_recorded(used, namespace, starts=True)
        if isinstance(chosen, EvaluatorUnusable) and chosen.reason == Reason.EVALUATOR_CHANGED:
            said = f"NemoBenchmark {benchmark.metadata.name} is not ready: its evaluator has moved"
            return EvaluatorUnusable(Reason.BENCHMARK_NOT_READY, said)
        return chosen

    async def of_benchmark(self, benchmark: NemoBenchmark) -> Chosen:
        """Raises KubeError."""
        key, namespace = key_of(benchmark), benchmark.metadata.namespace
        if benchmark.metadata.deletion_timestamp is not None:
            record = benchmark.status.evaluator or claimed_evaluator(benchmark.metadata)
            return await self._as_recorded(record, namespace)
        return await self._chosen(key, benchmark.spec.evaluator_ref, namespace)

    async def stalled(self, used: EvaluatorUsed) -> EvaluatorUnusable | None:
        """Return the message of a stalled connection; None where it is not stalled."""
        if used.connection is None:
            return None
        key = connection_key(used.connection)
        try:
            found = (await self._listed(key.namespace)).by_name.get(key.name)
        except KubeRefused:
            return None
        return None if found is None else connection_status.why_stalled(found)

    def untrack(self, key: ObjectKey) -> None:
        """The object is gone, or followed where it is."""
        self._depending.discard(key)

    def depending_on(self, connection: ObjectKey) -> list[ObjectKey]:
        """Objects that a change of this connection may concern."""
        return self._depending.of(connection)

    def invalidate(self, namespace: str) -> None:
        """A connection there was changed: what was read of them is old, and so is what is being read."""
        listed = self._lists.get(namespace)
        if listed is not None and listed.doubt():
            del self._lists[namespace]
        self._reading.pop(namespace, None)

    async def connections(self, namespace: str) -> Sequence[NemoEvaluatorConnection]:
        """All of a namespace that can be read."""
        return (await self._listed(namespace)).all

    async def _listed(self, namespace: str) -> _Listed:
        reading = self._reading.setdefault(namespace, asyncio.Lock())
        async with reading:
            listed = self._lists.get(namespace)
            if listed is None or listed.is_old(time.monotonic()):
                begun = time.monotonic()
                connections = [
                    connection
                    async for document in self._kube.list_all(CONNECTION_PLURAL, namespace)
                    if (connection := _read(document)) is not None
                ]
                listed = _Listed(begun, time.monotonic(), connections)
                if self._reading.get(namespace) is reading or listed.is_large:
                    self._keep_list(namespace, listed)
            return listed

    def _keep_list(self, namespace: str, listed: _Listed) -> None:
        """Drop the lists that are too old to be used as well: their namespaces may be gone."""
        self._lists.pop(namespace, None)
        self._lists[namespace] = listed
        while len(self._lists) > MAX_LISTS or self._first_list.is_old(listed.begun):
            del self._lists[next(iter(self._lists))]

    @property
    def _first_list(self) -> _Listed:
        return next(iter(self._lists.values()))

    async def _chosen(self, key: ObjectKey, ref: EvaluatorRef | None, namespace: str) -> Chosen:
        if ref is not None:
            name = referred_connection(ref, namespace)
            self._depending.put(key, name)
            return await self._by_name(name, namespace)
        self._depending.put(key, None)
        if (default := (await self._listed(namespace)).default) is not None:
            return await self._usable(default, starts=True)
        return self._evaluators.own.used

    async def _by_name(self, name: str, namespace: str) -> Chosen:
        connection = await self._admitting(name, namespace)
        if isinstance(connection, EvaluatorUnusable):
            return connection
        return await self._usable(connection, starts=True)

    async def _as_recorded(
        self, used: EvaluatorUsed | None, namespace: str, *, starts: bool = False
    ) -> Chosen:
        """The evaluator of a status in `namespace`, if it still is where it was.

        That it was allowed then is not enough: its owner may have changed that since.
        """
        if used is None or used.connection is None:
            # Whatever URL the administrator gives it now.
            return self._evaluators.own.used
        connection = await self._admitting(used.connection, namespace)
        if isinstance(connection, EvaluatorUnusable):
            return connection
        if connection.url and connection.url != used.url:
            return moved(used, connection.url)
        return await self._usable(connection, starts=starts)

    async def _admitting(self, name: str, namespace: str) -> NemoEvaluatorConnection | EvaluatorUnusable:
        key = connection_key(name)
        try:
            found = (await self._listed(key.namespace)).by_name.get(key.name)
        except KubeRefused as error:
            return EvaluatorUnusable(Reason.CONNECTION_NOT_READY, f"{name} may not be read: {error}")
        if found is None:
            return not_found(name) if key.namespace == namespace else not_allowed(name, namespace)
        return found if found.allows_namespace(namespace) else not_allowed(name, namespace)

    async def _usable(self, connection: NemoEvaluatorConnection, *, starts: bool) -> Chosen:
        """Return the connection if it may be used; `starts` refuses one that is being deleted."""
        if not connection.url:
            return unreadable(connection_name(connection))
        if starts and connection.metadata.deletion_timestamp is not None:
            return terminating(connection_name(connection))
        evaluator = await self._evaluators.of(connection)
        if isinstance(evaluator, EvaluatorUnusable):
            said = f"NemoEvaluatorConnection {connection_name(connection)}: {evaluator.message}"
            return EvaluatorUnusable(evaluator.reason, said, stalled=evaluator.stalled)
        return evaluator.used


def _read(document: JsonObject) -> NemoEvaluatorConnection | None:
    try:
        return read_connection(document)[0]
    except ValidationError:
        return None
