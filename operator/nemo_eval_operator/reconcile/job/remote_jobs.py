"""Remote jobs one by one: look at one, cancel it, delete it, by whatever the server is able to do."""

from __future__ import annotations

import logging

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import (
    EvaluatorError,
    Missing,
    Rejected,
    RemoteJob,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.lifecycle import Event, Operation
from nemo_eval_operator.lifecycle.job import RemoteGone
from nemo_eval_operator.lifecycle.steps import CancelJob, CollectResults, DeleteJob, FindJob, SubmitJob
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.reconcile.objects import ObjectWriter
from nemo_eval_operator.resources import NemoEvalJob

__all__ = ["RemoteJobs", "operation_of"]

logger = logging.getLogger(__name__)

NOT_FOUND = 404


def operation_of(step: object) -> Operation:
    """Return the operation that a step of a job is for."""
    match step:
        case SubmitJob():
            # The POST's own errors are handled where it is made.
            return Operation.READ_CONFIG
        case FindJob():
            return Operation.FIND_JOBS
        case CancelJob():
            return Operation.CANCEL_JOB
        case DeleteJob():
            return Operation.DELETE_JOB
        case CollectResults():
            return Operation.READ_RESULTS
        case _:
            return Operation.READ_JOB


class RemoteJobs:
    """Every method raises EvaluatorError where the evaluator does not do what was asked."""

    def __init__(self, objects: ObjectWriter) -> None:
        self._objects = objects

    async def observe(self, evaluator: EvaluatorClient, job_id: str) -> RemoteJob | RemoteGone:
        try:
            return await evaluator.get_job(job_id)
        except Missing:
            return RemoteGone()

    async def delete(self, evaluator: EvaluatorClient, job_id: str) -> bool:
        """Remove it from the evaluator; return whether it was there."""
        try:
            await evaluator.delete_job(job_id)
        except Missing:
            return False
        return True

    async def cancel(self, evaluator: EvaluatorClient, job: NemoEvalJob, job_id: str) -> Rejected | None:
        """Request cancellation; a server that has no such operation is requested to delete the job instead.

        NVIDIA's 25.4 has none. Returns a refusal, which may mean that the job has ended: look again.
        """
        try:
            await evaluator.cancel_job(job_id)
        except (Missing, Unsupported) as error:
            await self._delete_instead(evaluator, job, job_id, error)
        except Unavailable as error:
            # A route that an ingress does not know; if the ingress knows none, observing says so.
            if error.status_code != NOT_FOUND:
                raise
            await self._delete_instead(evaluator, job, job_id, error)
        except Rejected as error:
            logger.info("remote job %s not cancelled, looking again: %s", job_id, error)
            return error
        return None

    async def _delete_instead(
        self, evaluator: EvaluatorClient, job: NemoEvalJob, job_id: str, error: EvaluatorError
    ) -> None:
        remote = await self.observe(evaluator, job_id)
        # Never one that has ended meanwhile: its result would go with it.
        if isinstance(remote, RemoteGone) or remote.is_terminal:
            return
        await self.delete(evaluator, job_id)
        message = f"this evaluator cannot cancel ({error.detail}): remote job {job_id} was deleted instead"
        await self._objects.post_event(job, Event("Warning", Reason.CANCEL_UNSUPPORTED, message))
