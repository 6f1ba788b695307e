"""The one place where a remote job is looked for whose submission got no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import (
    RemoteJob,
)
from nemo_eval_operator.kube import ObjectKey, key_of
from nemo_eval_operator.lifecycle import Event
from nemo_eval_operator.lifecycle.job import LookUp, pick_marked
from nemo_eval_operator.lifecycle.steps import FindJob
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.reconcile.objects import ObjectWriter
from nemo_eval_operator.resources import NemoEvalJob
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import Evaluator, JobSearch
from nemo_eval_operator.workqueue import WorkQueue

from .remote_jobs import RemoteJobs

__all__ = ["JobFinder"]

MAX_DUPLICATES_CANCELLED: Final = 10
"""Duplicates that are cancelled in one look-up. Only a faulty evaluator shows more than two."""

MAX_CANCELLING_SECONDS: Final = 300.0
"""Seconds for all cancellations of one look-up together."""


class JobFinder:
    """Finds remote jobs by their marks, and cancels those that one attempt has too many."""

    def __init__(
        self, *, objects: ObjectWriter, remote_jobs: RemoteJobs, queue: WorkQueue, metrics: Metrics
    ) -> None:
        self._objects = objects
        self._remote_jobs = remote_jobs
        self._queue = queue
        self._metrics = metrics
        queue.states.on_forget(self.forget)
        self._searches: WeakKeyDictionary[EvaluatorClient, JobSearch] = WeakKeyDictionary()

    async def find(self, job: NemoEvalJob, step: FindJob, evaluator: Evaluator) -> LookUp:
        """All jobs with the attempt's mark, oldest first; of others than the oldest a few are cancelled.

        Raises LookUpPostponed where the sweep that answers is still to come.
        """

        def pick(remote: Sequence[RemoteJob]) -> list[RemoteJob]:
            return pick_marked(remote, job.metadata, step.attempt)

        # The evaluator's own client: a sweep is about many objects.
        client = evaluator.client
        search = self._searches.setdefault(client, JobSearch(self._queue))
        found = await search.find(client, key_of(job), job.metadata.uid, since=step.created_since, pick=pick)
        await self._cancel_duplicates(job, found.jobs, client.about(key_of(job)))
        return LookUp(begun=found.begun, found=tuple(found.jobs), answered_since=found.answered_since)

    def forget(self, key: ObjectKey) -> None:
        """The object is gone, or another operator's."""
        for search in self._searches.values():
            search.forget(key)

    async def _cancel_duplicates(
        self, job: NemoEvalJob, found: Sequence[RemoteJob], client: EvaluatorClient
    ) -> None:
        """Cancel all but the first, within bounds: the evaluator decides how many it lists, and how fast."""
        duplicates = [remote.id for remote in found[1:] if not remote.is_terminal]
        done = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_CANCELLING_SECONDS):
                for job_id in duplicates[:MAX_DUPLICATES_CANCELLED]:
                    await self._cancel_duplicate(job, job_id, client)
                    done += 1
        if left := len(duplicates) - done:
            message = (
                f"remote jobs of the same attempt that were not cancelled: {left}. Cancel in the evaluator "
                f"all with k8s-uid {job.metadata.uid} in their custom_fields, except {found[0].id}"
            )
            await self._objects.post_event(job, Event("Warning", Reason.DUPLICATES_RUNNING, message))

    async def _cancel_duplicate(self, job: NemoEvalJob, job_id: str, client: EvaluatorClient) -> None:
        what = f"remote job {job_id} is a second one of the same attempt"
        if (refusal := await self._remote_jobs.cancel(client, job, job_id)) is not None:
            message = f"{what}, and the evaluator does not cancel it: {refusal.detail}"
            await self._objects.post_event(job, Event("Warning", Reason.CANCEL_REFUSED, message))
            return
        self._metrics.duplicate_cancelled()
        await self._objects.post_event(
            job, Event("Warning", Reason.DUPLICATE_CANCELLED, f"{what}: cancelled")
        )
