"""Registry of evaluator sessions: opens the session of a connection when it is first needed.

It reads the connection's Secrets again when they may have changed, and closes a session when its connection
is deleted or points to another server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from nemo_eval_operator.evaluator.http import Access, UnusableCertificate, UnusableUrl
from nemo_eval_operator.kube import KubeError, ObjectKey, key_of
from nemo_eval_operator.lifecycle.connection import connection_name
from nemo_eval_operator.lifecycle.job import EvaluatorUnusable, evaluator_of_record
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvaluatorUsed, NemoEvalJob, NemoEvaluatorConnection
from nemo_eval_operator.traces import trace_of
from nemo_eval_operator.workqueue import WorkQueue

from .credentials import CredentialsMissing, CredentialsReader
from .session import CONNECTIONS, ConnectionSettings, Evaluator, Opened, connection_key
from .shared_slots import SharedSlots

__all__ = ["Evaluators"]

logger = logging.getLogger(__name__)

CREDENTIALS_SECONDS: Final = 30.0
"""Seconds for which a connection's Secrets, once read, are used; they cannot be watched."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    opened: Opened
    terms: ConnectionSettings
    access: Access
    uid: str
    generation: int
    read_at: float


Open = Callable[[NemoEvaluatorConnection, ConnectionSettings, Access], Opened]


class Evaluators:
    """Registry of sessions: `own` is that of NVIDIA_EVALUATOR_URL, `open_connection` opens the others.

    `slots` are those that connections to one URL share.
    """

    def __init__(
        self,
        own: Evaluator,
        *,
        queue: WorkQueue,
        credentials: CredentialsReader | None = None,
        open_connection: Open | None = None,
        slots: SharedSlots | None = None,
    ) -> None:
        self._slots = slots or SharedSlots(queue, limit=None, own_url=own.used.url)
        self.own = own
        self._queue = queue
        self.states = queue.states
        self.states.on_forget(self.forget)
        self._credentials = credentials
        self._open = open_connection
        self._entries: dict[ObjectKey, _Entry] = {}
        self._locks: WeakValueDictionary[ObjectKey, asyncio.Lock] = WeakValueDictionary()
        """Locks by connection; each exists while a task holds it or waits for it."""
        self._renewing: set[ObjectKey] = set()
        """Connections whose Secrets are being read, without those that were closed since that began."""

    def __iter__(self) -> Iterator[Evaluator]:
        yield self.own
        yield from (entry.opened.evaluator for entry in list(self._entries.values()))

    def find(self, used: EvaluatorUsed | None) -> Evaluator | None:
        """Return the evaluator that a status names, if it is unchanged; without a connection the own one."""
        if used is None or used.connection is None:
            return self.own
        entry = self._entries.get(connection_key(used.connection))
        return entry.opened.evaluator if entry and entry.opened.evaluator.used == used else None

    def is_followed(self, job: ObjectKey) -> bool:
        return any(job in evaluator.tracker for evaluator in self)

    def forget(self, job: ObjectKey, *, but: Evaluator | None = None, runs: bool = False) -> None:
        """Forget the job at all evaluators except `but`; with `runs` it keeps its slot."""
        for evaluator in self:
            if evaluator is not but:
                evaluator.tracker.forget(job)
                evaluator.waiting.discard(job)
                evaluator.breaker.forget(job)
                if but is not None:
                    evaluator.slot_pool.leave_for(job, but.slot_pool)
                elif not runs:
                    evaluator.slot_pool.forget(job)
            if but is None:
                evaluator.client.known.forget(job)

    def vanished(self, job: ObjectKey) -> None:
        """Keep the slot of a deleted object whose remote job may still run."""
        homes = [evaluator for evaluator in self if job in evaluator.tracker]
        homes += [evaluator for evaluator in self if evaluator.slot_pool.uid_of(job)]
        if homes:
            homes[0].orphans.vanished(job)

    def replaced(self, job: NemoEvalJob) -> bool:
        """Return whether an earlier object of that name has a slot: it was deleted without an event."""
        uids = {evaluator.slot_pool.uid_of(key_of(job)) for evaluator in self}
        return not uids <= {None, job.metadata.uid}

    def is_at_own_url(self, job: NemoEvalJob) -> bool:
        """Return whether the job was submitted to the operator's own evaluator, by any connection.

        Another evaluator chooses its jobs' ids, which may equal ids of jobs here.
        """
        used = evaluator_of_record(job)
        return used is not None and (used.connection is None or self._slots.leads_to_own(used.url))

    def note_at_url(self, job: NemoEvalJob) -> None:
        """Give the job a slot at its evaluator's URL, although its connection is closed or deleted."""
        used = evaluator_of_record(job)
        for evaluator in self:
            shared = evaluator.slot_pool.shared
            if used is not None and shared is not None and self._slots.are_at(shared, used.url):
                shared.note(job)
                return

    async def of(
        self, connection: NemoEvaluatorConnection, *, afresh: bool = False
    ) -> Evaluator | EvaluatorUnusable:
        """The evaluator of `connection`; `afresh`: its Secrets are read now, whenever that was last done."""
        key = connection_key(connection_name(connection))
        async with self._locks.setdefault(key, asyncio.Lock()):
            entry, generation = self._entries.get(key), connection.metadata.generation
            now = asyncio.get_running_loop().time()
            if entry is not None and entry.uid == connection.metadata.uid and generation < entry.generation:
                return EvaluatorUnusable(Reason.CONNECTION_NOT_READY, "it was changed a moment ago")
            known = entry is not None and entry.generation == generation and not afresh
            if entry is not None and known and now - entry.read_at < CREDENTIALS_SECONDS:
                return entry.opened.evaluator
            self._renewing.add(key)
            try:
                return await self._renewed(key, connection, entry, now)
            except KubeError:
                raise
            except Exception as error:  # noqa: BLE001 - logged
                logger.error(  # noqa: TRY400 - without messages, which may show credentials
                    "connection %s: unexpected exception, please report it: %s",
                    connection_name(connection),
                    trace_of(error),
                )
                said = f"it cannot be used: internal error ({type(error).__name__}), see the operator's log"
                return EvaluatorUnusable(Reason.INTERNAL_ERROR, said)
            finally:
                self._renewing.discard(key)

    async def _renewed(
        self, key: ObjectKey, connection: NemoEvaluatorConnection, entry: _Entry | None, now: float
    ) -> Evaluator | EvaluatorUnusable:
        if self._credentials is None or self._open is None:
            raise AssertionError("this operator was started without connections")
        try:
            access = await self._credentials.read(connection)
            exists = entry is not None or await self._credentials.exists(connection)
        except CredentialsMissing as missing:
            if entry is None or not (missing.gone and _goes_on(entry, connection)):
                return EvaluatorUnusable(missing.reason, str(missing), stalled=missing.stalled)
            # Deleted together with its Secrets: what it still runs is cancelled with what was read of them.
            access, exists = entry.access, True
        if not exists or key not in self._renewing:
            return EvaluatorUnusable(Reason.CONNECTION_NOT_FOUND, "it was deleted a moment ago")
        terms, meta = ConnectionSettings.of(connection), connection.metadata
        if entry is not None and entry.terms != terms:
            self._close(key, f"NemoEvaluatorConnection {connection_name(connection)} was changed")
            entry = None
        try:
            if entry is None:
                opened = self._open(connection, terms, access)
                entry = _Entry(
                    opened=opened,
                    terms=terms,
                    access=access,
                    uid=meta.uid,
                    generation=meta.generation,
                    read_at=now,
                )
                self._entries[key] = entry
            elif entry.access != access:
                entry.opened.transport.replace(access.transport(terms.url, max_connections=CONNECTIONS))
                entry.opened.evaluator.breaker.probe_soon()
                logger.info("connection %s: credentials or certificates are new", connection_name(connection))
        except UnusableCertificate as error:
            return EvaluatorUnusable(Reason.CONNECTION_NOT_READY, f"spec.tls: {error}", stalled=True)
        except UnusableUrl as error:
            return EvaluatorUnusable(Reason.CONNECTION_NOT_READY, f"spec.url: {error}", stalled=True)
        entry.opened.evaluator.client.known.use(access.secrets)
        entry.access, entry.uid, entry.generation, entry.read_at = access, meta.uid, meta.generation, now
        self._allow(connection, entry.opened.evaluator)
        return entry.opened.evaluator

    def _allow(self, connection: NemoEvaluatorConnection, evaluator: Evaluator) -> None:
        limit, slot_pool = connection.spec.max_running_jobs, evaluator.slot_pool
        shared, known = self._slots.of(evaluator.used.url, own_limit=limit), slot_pool.shared
        was_limited = slot_pool.is_limited
        slot_pool.allow(limit, shared=shared)
        if slot_pool.is_limited and (shared is not known or not was_limited):
            evaluator.orphans.count_again()

    def close(self, key: ObjectKey, reason: str) -> None:
        """Call this evaluator no more, also where its credentials are just being read."""
        self._renewing.discard(key)
        self._close(key, reason)

    def _close(self, key: ObjectKey, reason: str) -> None:
        """Sends nothing more, whatever still refers to the evaluator, and queues its jobs."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        evaluator = entry.opened.evaluator
        logger.warning("evaluator at %s is asked no more: %s", evaluator.used.url, reason)
        entry.opened.transport.disable(reason)
        entry.opened.close()
        shared = evaluator.slot_pool.shared
        heirs = [other for other in self if shared is not None and other.slot_pool.shared is shared]
        # What another URL of the same host and port answers may be about other jobs.
        heirs.sort(key=lambda other: (other is not self.own, other.used.url != evaluator.used.url))
        if heirs:
            evaluator.orphans.hand_over(heirs[0].orphans)
        for job in {*evaluator.tracker.tracked_keys(), *evaluator.waiting}:
            evaluator.tracker.forget(job)
            self._queue.add(job)

    def stop(self) -> None:
        """End all pollers and gates of connections; calls that have begun go on."""
        for entry in self._entries.values():
            entry.opened.close()

    async def aclose(self) -> None:
        for entry in self._entries.values():
            await entry.opened.transport.aclose()


def _goes_on(entry: _Entry, connection: NemoEvaluatorConnection) -> bool:
    """Whether the connection is being deleted and is otherwise as it was opened."""
    meta = connection.metadata
    unchanged = (entry.uid, entry.terms) == (meta.uid, ConnectionSettings.of(connection))
    return meta.deletion_timestamp is not None and unchanged
