"""Remote jobs that go on although their objects are gone: each keeps its place until it has ended.

An object goes without its job where the policy is Orphan, where a finalizer was removed by hand, and where
a deletion waited in vain. What this process saw is followed at once; after a restart, and for a submission
whose outcome was not written down, the evaluator's live jobs are compared with the objects that their marks
name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.evaluator import CANCELLING, LIVE_STATES, EvaluatorClient, RemoteJob
from nemo_eval_operator.heartbeats import Heartbeat
from nemo_eval_operator.kube import KubeClient, ObjectKey, ObjectTooLarge
from nemo_eval_operator.lifecycle import Glimpse, OwnerMark, Run, owner_mark, read_job
from nemo_eval_operator.resources import EVALJOB_PLURAL

from .admission import Admission
from .following import Following

__all__ = ["Orphans", "live_jobs"]

logger = logging.getLogger(__name__)

ORPHANS: Final = "orphans"
"""Stands for a plural in the keys of remote jobs without an object."""

OCCUPYING_STATES: Final = (*LIVE_STATES, CANCELLING)
"""Those in which a job takes up GPUs."""

MAX_ORPHANS: Final = 1000
"""Followed at one evaluator: they are bounded, like all that others can cause. More keep no place."""

MAX_MARKED: Final = 20_000
"""Jobs with the operator's mark that are read at one evaluator."""

MAX_COMPARED: Final = 2 * MAX_ORPHANS
"""Of these, jobs without a slot that are compared with their objects: each costs a read from Kubernetes."""


class Orphans:
    """Those of one evaluator."""

    def __init__(self, admission: Admission, following: Following) -> None:
        self._admission = admission
        self._following = following
        self._followed: set[str] = set()
        self._uncertain: set[str] = set()
        """Objects that vanished while their job was being submitted."""
        self._wanted = asyncio.Event()

    def vanished(self, key: ObjectKey) -> None:
        """Keep a place for the remote job of an object that is gone, unless the job was seen to end."""
        if not self._admission.is_limited:
            return
        if key in self._following:
            self.unless_ended(key)
        elif (uid := self._admission.uid_of(key)) and len(self._uncertain) < MAX_ORPHANS:
            self._uncertain.add(name := f"{key.namespace}/{key.name}")
            self._admission.keep(name, Run(uid, key.namespace, None, datetime.now(UTC)))
            self._wanted.set()

    def unless_ended(self, key: ObjectKey) -> None:
        """The object gives up its place. Keep one for its remote job, unless that was seen to end."""
        followed = self._following.of(key)
        if followed is not None and not followed.ended and self._admission.is_limited:
            self.follow(key.namespace, followed.job_id, followed.since)

    def follow(self, namespace: str, job_id: str, since: datetime) -> bool:
        """Keep a place for the remote job until it has ended; False where there are too many."""
        if job_id in self._followed:
            return True
        if len(self._followed) >= MAX_ORPHANS:
            return False
        self._followed.add(job_id)
        self._admission.keep(job_id, Run("", namespace, job_id, since))
        key, seen = ObjectKey(ORPHANS, namespace, job_id), Glimpse("active", None)
        logger.info("remote job %s has no object in namespace %s and keeps its slot", job_id, namespace)

        def end() -> None:
            self._followed.discard(job_id)
            self._admission.free(job_id)

        self._following.follow(key, job_id, seen, since=since, on_end=end)
        return True

    def reclaim(self, key: ObjectKey, job_id: str | None) -> None:
        """The object is there again, or matches the selector again, and has the slot of its run itself."""
        if job_id in self._followed and ObjectKey(ORPHANS, key.namespace, job_id) in self._following:
            self._followed.discard(job_id)
            self._following.forget(ObjectKey(ORPHANS, key.namespace, job_id))
            self._admission.free(job_id)
        if (name := f"{key.namespace}/{key.name}") in self._uncertain:
            self._uncertain.discard(name)
            self._admission.free(name)

    def hand_over(self, heir: Orphans) -> None:
        """Have another evaluator at the same URL look after them: this one is asked no more."""
        for followed in [one for one in self._following if one.on_end is not None]:
            if not heir.follow(followed.key.namespace, followed.job_id, followed.since):
                self._admission.free(followed.job_id)
        if self._uncertain:
            heir._uncertain |= self._uncertain
            heir.count_again()

    @property
    def are_uncertain(self) -> bool:
        """Whether a submission whose outcome is not known may still become a job."""
        return bool(self._uncertain)

    def count_again(self) -> None:
        """Have the evaluator's live jobs compared with the objects."""
        self._wanted.set()

    def give_up(self) -> None:
        """The live jobs cannot be counted: submissions whose outcome is not known give their places back."""
        self._wanted.clear()
        for name in self._uncertain:
            self._admission.free(name)
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
        heartbeat: Heartbeat,
    ) -> None:
        """Follow all live jobs whose objects are gone; `connection`: of those that were submitted by it.

        Raises EvaluatorError and KubeError; then it is still wanted.
        """
        self._wanted.clear()
        settled = set(self._uncertain)
        try:
            found: list[tuple[str, datetime, OwnerMark]] = []
            async for remote, mark in live_jobs(client, cluster, connection, heartbeat):
                if (namespaces and mark.namespace not in namespaces) or self._has_place(mark):
                    continue
                # Not the job itself: its texts are the evaluator's, and long.
                found.append((remote.id, remote.created_at or datetime.now(UTC), mark))
                if len(found) >= MAX_COMPARED:
                    logger.warning("only the first %d remote jobs without a slot are compared", MAX_COMPARED)
                    break
            for job_id, since, mark in found:
                heartbeat.beat()
                if not self._has_place(mark) and not await _is_cared_for(kube, mark):
                    self.follow(mark.namespace, job_id, since)
        except BaseException:
            self._wanted.set()
            raise
        for name in settled:
            self._uncertain.discard(name)
            self._admission.free(name)

    def _has_place(self, mark: OwnerMark) -> bool:
        return self._admission.has(_key_of(mark), mark.uid)


async def live_jobs(
    client: EvaluatorClient, cluster: str, connection: str | None, heartbeat: Heartbeat
) -> AsyncIterator[tuple[RemoteJob, OwnerMark]]:
    """Jobs that carry the operator's mark and run; a bounded number, since others may write marks too.

    `connection`: those that were submitted by it; None: all.
    """
    seen: set[str] = set()
    for state in OCCUPYING_STATES:
        heartbeat.beat()
        async for remote in client.list_jobs(status=state, on_page=heartbeat.beat):
            mark = owner_mark(remote.custom_fields, cluster=cluster)
            if mark is None or remote.is_terminal or remote.id in seen:
                continue
            if connection is None or mark.connection == connection:
                seen.add(remote.id)
                yield remote, mark
                if len(seen) >= MAX_MARKED:
                    return


def _key_of(mark: OwnerMark) -> ObjectKey:
    return ObjectKey(EVALJOB_PLURAL, mark.namespace, mark.name)


async def _is_cared_for(kube: KubeClient, mark: OwnerMark) -> bool:
    """Whether the object is there, this operator's or another one's, and its run is not over for it."""
    try:
        document = await kube.get(_key_of(mark))
    except ObjectTooLarge as too_large:
        document = too_large.rest
    if document is None:
        return False
    job, _ = read_job(document)
    return job.metadata.uid == mark.uid and job.status.completion_time is None
