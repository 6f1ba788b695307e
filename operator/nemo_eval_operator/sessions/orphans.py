"""Remote jobs whose objects were deleted: each keeps its slot until it has ended.

An object goes without its job where the policy is Orphan, where a finalizer was removed by hand, and where
a deletion waited in vain. What this process saw is followed at once; after a restart, and for a submission
whose outcome was not written down, the evaluator's live jobs are compared with the objects that their marks
name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Container
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import CANCELLING, LIVE_STATES, RemoteJob
from nemo_eval_operator.kube import KubeClient, ObjectKey, ObjectTooLarge
from nemo_eval_operator.lifecycle import OwnerMark, owner_mark, read_job
from nemo_eval_operator.lifecycle.job import JobSnapshot, Run
from nemo_eval_operator.resources import EVALJOB_PLURAL, NemoEvalJob
from nemo_eval_operator.runtime.heartbeats import Heartbeat

from .slot_pool import SlotPool
from .tracker import JobTracker

__all__ = ["MarkedJobsCut", "Orphans", "live_jobs"]

logger = logging.getLogger(__name__)

ORPHANS: Final = "orphans"
"""Stands for a plural in the keys of remote jobs without an object."""

OCCUPYING_STATES: Final = (*LIVE_STATES, CANCELLING)
"""Those in which a job takes up GPUs."""

MAX_ORPHANS: Final = 1000
"""Orphans that are tracked at one evaluator. Further ones keep no slot."""

MAX_MARKED: Final = 20_000
"""Jobs with the operator's mark that are read at one evaluator; of more, none counts as absent."""

MAX_COMPARED: Final = 2 * MAX_ORPHANS
"""Jobs without a slot that are compared with their objects: each costs a read from Kubernetes."""


class MarkedJobsCut(Exception):
    """An evaluator has more jobs with the operator's mark than are read: absence proves nothing."""

    def __init__(self) -> None:
        super().__init__(f"it has more than {MAX_MARKED:,} jobs with the operator's mark")


class Orphans:
    """Those of one evaluator, to which `connection` leads; None: the operator's own."""

    def __init__(self, slot_pool: SlotPool, tracker: JobTracker, *, connection: str | None) -> None:
        self._slot_pool = slot_pool
        self._tracker = tracker
        self._connection = connection
        self._followed: set[ObjectKey] = set()
        self._uncertain: set[str] = set()
        """Uids of objects that vanished while their job was being submitted."""
        self._wanted = asyncio.Event()

    def vanished(self, key: ObjectKey) -> None:
        """Keep a slot for the remote job of a deleted object, unless the job has ended."""
        if not self._slot_pool.is_limited:
            return
        if key in self._tracker:
            self.unless_ended(key)
        elif (uid := self._slot_pool.uid_of(key)) and len(self._uncertain) < MAX_ORPHANS:
            self._uncertain.add(uid)
            self._slot_pool.keep(uid, Run(uid, key.namespace, None, datetime.now(UTC)))
            self._wanted.set()

    def unless_ended(self, key: ObjectKey) -> None:
        """Release the object's slot. Keep one for its remote job, unless that has ended."""
        followed = self._tracker.of(key)
        if followed is not None and not followed.ended and self._slot_pool.is_limited:
            self.follow(key.namespace, followed.job_id, followed.since)

    def follow(self, namespace: str, job_id: str, since: datetime, *, shared: bool = True) -> bool:
        """Keep a slot for the remote job until it has ended; False where there are too many.

        `shared`: one of the shared slots too.
        """
        key, seen = ObjectKey(ORPHANS, namespace, job_id), JobSnapshot("active", None)
        if key in self._followed:
            return True
        if len(self._followed) >= MAX_ORPHANS:
            return False
        self._followed.add(key)
        self._slot_pool.keep(self.slot_of(key), Run("", namespace, job_id, since), shared=shared)
        logger.info("remote job %s has no object in namespace %s and keeps its slot", job_id, namespace)

        def end() -> None:
            self._followed.discard(key)
            self._slot_pool.free(self.slot_of(key))

        self._tracker.follow(key, job_id, seen, since=since, on_end=end)
        return True

    def slot_of(self, key: ObjectKey) -> str:
        """Return the name of the slot of a remote job that is followed here under `key`.

        Ids are the evaluators' own: the same one from another connection names another slot.
        """
        return f"{self._connection or ''} {key.namespace} {key.name}"

    def reclaim(self, job: NemoEvalJob) -> None:
        """The object is there again, or matches the selector again, and has the slot of its run itself."""
        key = ObjectKey(ORPHANS, job.metadata.namespace, job.status.job_id or "")
        if key in self._followed:
            self._followed.discard(key)
            self._tracker.forget(key)
            self._slot_pool.free(self.slot_of(key))
        if (uid := job.metadata.uid) in self._uncertain:
            self._uncertain.discard(uid)
            self._slot_pool.free(uid)

    def hand_over(self, heir: Orphans) -> None:
        """Have another evaluator at the same URL look after them: this one is asked no more."""
        for followed in [one for one in self._tracker if one.key in self._followed]:
            heir.follow(followed.key.namespace, followed.job_id, followed.since)
            self._slot_pool.free(self.slot_of(followed.key))
        if self._uncertain:
            heir._uncertain |= self._uncertain
            heir.count_again()

    @property
    def are_uncertain(self) -> bool:
        """Return whether a submission with an unknown outcome may still become a job."""
        return bool(self._uncertain)

    def count_again(self) -> None:
        """Have the evaluator's live jobs compared with the objects."""
        self._wanted.set()

    def give_up(self) -> None:
        """Release the slots of submissions with an unknown outcome: the live jobs cannot be counted."""
        self._wanted.clear()
        for uid in self._uncertain:
            self._slot_pool.free(uid)
        self._uncertain.clear()

    async def until_wanted(self) -> None:
        """Until they have to be counted."""
        await self._wanted.wait()

    async def count(
        self,
        kube: KubeClient,
        client: EvaluatorClient,
        *,
        namespaces: Collection[str],
        cluster: str,
        connection: str | None,
        shared: bool,
        heartbeat: Heartbeat,
    ) -> None:
        """Follow all live jobs whose objects are gone; `connection`: of those that were submitted by it.

        `shared`: they have shared slots too. Raises EvaluatorError and KubeError; then it is still wanted.
        """
        self._wanted.clear()
        settled = set(self._uncertain)
        found = _Found(sought=set(settled))
        try:
            try:
                async for remote, mark in live_jobs(client, cluster, connection, heartbeat):
                    if not (namespaces and mark.namespace not in namespaces) and not self._has_slot(mark):
                        found.add(remote, mark)
            except MarkedJobsCut as cut:
                logger.warning("slots of submissions whose outcome is not known are kept: %s", cut)
                # Also where they are not on the rest of the list: that was not read.
                settled -= found.sought
            if found.passed_over:
                logger.warning("only the first %d remote jobs without a slot are compared", MAX_COMPARED)
            for job_id, since, mark in found.jobs:
                heartbeat.beat()
                if not self._has_slot(mark) and not await _is_cared_for(kube, mark):
                    self.follow(mark.namespace, job_id, since, shared=shared)
        except BaseException:
            self._wanted.set()
            raise
        for uid in settled:
            self._uncertain.discard(uid)
            self._slot_pool.free(uid)
        if self._uncertain:
            self._wanted.set()

    def _has_slot(self, mark: OwnerMark) -> bool:
        return self._slot_pool.has(_key_of(mark), mark.uid)


@dataclass(slots=True)
class _Found:
    """Live jobs to compare with their objects, with ids and times: their texts are long."""

    sought: set[str]
    """Uids of the objects whose submission is uncertain, as far as no job of them was found."""
    jobs: list[tuple[str, datetime, OwnerMark]] = field(default_factory=list)
    passed_over: int = 0

    def add(self, remote: RemoteJob, mark: OwnerMark) -> None:
        """Keep a bounded number, and one of each object that is sought."""
        if len(self.jobs) >= MAX_COMPARED and mark.uid not in self.sought:
            self.passed_over += 1
            return
        self.sought.discard(mark.uid)
        now = datetime.now(UTC)
        self.jobs.append((remote.id, min(remote.created_at or now, now), mark))


async def live_jobs(
    client: EvaluatorClient,
    cluster: str,
    connection: str | None,
    heartbeat: Heartbeat,
    *,
    uids: Container[str] | None = None,
) -> AsyncIterator[tuple[RemoteJob, OwnerMark]]:
    """Jobs that carry the operator's mark and run; a bounded number, since others may write marks too.

    `connection`: those that were submitted by it; None: all. `uids`: those of these objects; None: of all.
    Raises MarkedJobsCut where there are more.
    """
    seen: set[str] = set()
    for state in OCCUPYING_STATES:
        heartbeat.beat()
        async for listed in client.list_jobs(status=state, on_page=heartbeat.beat):
            remote = listed.read()
            mark = owner_mark(remote.custom_fields, cluster=cluster)
            if mark is None or remote.is_terminal or remote.id in seen:
                continue
            if uids is not None and mark.uid not in uids:
                continue
            if connection is None or mark.connection == connection:
                if len(seen) >= MAX_MARKED:
                    raise MarkedJobsCut
                seen.add(remote.id)
                yield remote, mark


def _key_of(mark: OwnerMark) -> ObjectKey:
    return ObjectKey(EVALJOB_PLURAL, mark.namespace, mark.name)


async def _is_cared_for(kube: KubeClient, mark: OwnerMark) -> bool:
    """Return whether the object exists, of this operator or another one, and its run has not ended."""
    try:
        document = await kube.get(_key_of(mark))
    except ObjectTooLarge as too_large:
        document = too_large.rest
    if document is None:
        return False
    job, _ = read_job(document)
    return job.metadata.uid == mark.uid and job.status.completion_time is None
