"""Finds the evaluator that a job or benchmark is about; the rules are `lifecycle.evaluators`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

from pydantic import ValidationError

from nemo_eval_operator.kube import KubeClient, KubeRefused, ObjectKey
from nemo_eval_operator.lifecycle import (
    EvaluatorUnusable,
    claimed_evaluator,
    connection_name,
    connection_status,
    defaults_among,
    evaluator_of_record,
    is_bound,
    mismatch,
    moved,
    not_allowed,
    not_found,
    referred_connection,
    terminating,
)
from nemo_eval_operator.resources import (
    CONNECTION_PLURAL,
    EvaluatorRef,
    EvaluatorUsed,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
)

from .evaluators import Evaluators, connection_key
from .objects import key_of

__all__ = ["Chooser"]

BELIEVED_SECONDS: Final = 2.0
"""For how long a connection is not read again: with a thousand jobs that is once, not a thousand times.
An edit that nobody was told of yet could have come as much later."""

Chosen = EvaluatorUsed | EvaluatorUnusable


class Chooser:
    """Reads connections by name and by namespace, and remembers who depends on which."""

    def __init__(self, kube: KubeClient, evaluators: Evaluators) -> None:
        self._kube = kube
        self._evaluators = evaluators
        self._lists: dict[str, tuple[float, list[NemoEvaluatorConnection]]] = {}
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By namespace: all workers ask at once, and one of them reads for all."""
        self._depending: dict[ObjectKey, str | None] = {}
        """Objects that may choose anew, and the connection that they name; None: the default."""

    async def of_job(self, job: NemoEvalJob, benchmark: NemoBenchmark | None) -> Chosen:
        """`benchmark`: the one of its benchmarkRef, which is ready. Raises KubeError."""
        key, namespace, ref = key_of(job), job.metadata.namespace, job.spec.evaluator_ref
        if is_bound(job) or job.metadata.deletion_timestamp is not None:
            record = evaluator_of_record(job)
            self._depending[key] = record.connection if record else None
            return await self._as_recorded(record, namespace)
        if benchmark is None:
            return await self._chosen(key, ref, namespace)
        used = benchmark.status.evaluator
        if ref is not None:
            wanted = referred_connection(ref, namespace)
            self._depending[key] = wanted
            if problem := mismatch(wanted, benchmark):
                return problem
        self._depending[key] = used.connection if used else None
        chosen = await self._as_recorded(used, namespace, starts=True)
        if isinstance(chosen, EvaluatorUnusable) and chosen.reason == "EvaluatorChanged":
            said = f"NemoBenchmark {benchmark.metadata.name} is not ready: its evaluator has moved"
            return EvaluatorUnusable("BenchmarkNotReady", said)
        return chosen

    async def of_benchmark(self, benchmark: NemoBenchmark) -> Chosen:
        """Raises KubeError."""
        key, namespace = key_of(benchmark), benchmark.metadata.namespace
        if benchmark.metadata.deletion_timestamp is not None:
            record = benchmark.status.evaluator or claimed_evaluator(benchmark.metadata)
            return await self._as_recorded(record, namespace)
        return await self._chosen(key, benchmark.spec.evaluator_ref, namespace)

    async def stalled(self, used: EvaluatorUsed) -> EvaluatorUnusable | None:
        """Why the connection says that a person has to change something; None where it does not."""
        if used.connection is None:
            return None
        key = connection_key(used.connection)
        try:
            connections = await self.connections(key.namespace)
        except KubeRefused:
            return None
        found = next((one for one in connections if one.metadata.name == key.name), None)
        return None if found is None else connection_status.why_stalled(found)

    def settle(self, key: ObjectKey) -> None:
        """The object is gone, or followed where it is."""
        self._depending.pop(key, None)

    def depending_on(self, connection: ObjectKey) -> list[ObjectKey]:
        """Objects that a change of this connection may concern."""
        name = f"{connection.namespace}/{connection.name}"
        return [
            key
            for key, chosen in self._depending.items()
            if chosen == name or (chosen is None and key.namespace == connection.namespace)
        ]

    def learn(self, namespace: str) -> None:
        """A connection there was changed: what was read of them is old, and so is what is being read."""
        self._lists.pop(namespace, None)
        self._reading.pop(namespace, None)

    async def connections(self, namespace: str) -> Sequence[NemoEvaluatorConnection]:
        """All of a namespace that can be read."""
        reading = self._reading.setdefault(namespace, asyncio.Lock())
        async with reading:
            read_at, connections = self._lists.get(namespace, (float("-inf"), []))
            if time.monotonic() - read_at > BELIEVED_SECONDS:
                begun = time.monotonic()
                connections = [
                    connection
                    async for document in self._kube.list_all(CONNECTION_PLURAL, namespace)
                    if (connection := _read(document)) is not None
                ]
                if self._reading.get(namespace) is reading:
                    self._keep_list(namespace, begun, connections)
            return connections

    def _keep_list(self, namespace: str, begun: float, connections: list[NemoEvaluatorConnection]) -> None:
        """Drop the lists that are too old to be used as well: their namespaces may be gone."""
        self._lists.pop(namespace, None)
        self._lists[namespace] = begun, connections
        while next(iter(self._lists.values()))[0] < begun - BELIEVED_SECONDS:
            del self._lists[next(iter(self._lists))]

    async def _chosen(self, key: ObjectKey, ref: EvaluatorRef | None, namespace: str) -> Chosen:
        if ref is not None:
            name = referred_connection(ref, namespace)
            self._depending[key] = name
            return await self._by_name(name, namespace)
        self._depending[key] = None
        if defaults := defaults_among(await self.connections(namespace)):
            return await self._usable(defaults[0], starts=True)
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

        That it was allowed then is not enough: its owner may have thought better of it.
        """
        if used is None or used.connection is None:
            # Whatever URL the administrator gives it now.
            return self._evaluators.own.used
        connection = await self._admitting(used.connection, namespace)
        if isinstance(connection, EvaluatorUnusable):
            return connection
        if connection.url != used.url:
            return moved(used, connection.url)
        return await self._usable(connection, starts=starts)

    async def _admitting(self, name: str, namespace: str) -> NemoEvaluatorConnection | EvaluatorUnusable:
        key = connection_key(name)
        try:
            connections = await self.connections(key.namespace)
        except KubeRefused as error:
            return EvaluatorUnusable("ConnectionNotReady", f"{name} may not be read: {error}")
        found = [one for one in connections if one.metadata.name == key.name]
        if not found:
            return not_found(name)
        return found[0] if found[0].admits(namespace) else not_allowed(name, namespace)

    async def _usable(self, connection: NemoEvaluatorConnection, *, starts: bool) -> Chosen:
        """`starts`: something new is to start on it, which a connection that is being deleted refuses."""
        if starts and connection.metadata.deletion_timestamp is not None:
            return terminating(connection_name(connection))
        evaluator = await self._evaluators.of(connection)
        if isinstance(evaluator, EvaluatorUnusable):
            said = f"NemoEvaluatorConnection {connection_name(connection)}: {evaluator.message}"
            return EvaluatorUnusable(evaluator.reason, said, stalled=evaluator.stalled)
        return evaluator.used


def _read(document: object) -> NemoEvaluatorConnection | None:
    try:
        return NemoEvaluatorConnection.model_validate(document)
    except ValidationError:
        return None
