"""What is kept in memory of a job between two looks at it: whom to follow, who has a place, who waits."""

from __future__ import annotations

from datetime import UTC, datetime

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle import glimpse_told_by, occupies, parse_timestamp
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob

from .admission import Admission
from .following import Following
from .objects import key_of
from .waiting import Waiting

__all__ = ["Books"]


class Books:
    """Brings the three up to date with an object. All of it can be lost: it comes from the objects again."""

    def __init__(self, *, following: Following, waiting: Waiting, admission: Admission) -> None:
        self.following = following
        self.admission = admission
        self._waiting = waiting

    def keep(self, job: NemoEvalJob) -> None:
        """Follow the job's remote job where it may be running, with its place at the evaluator."""
        status = job.status
        if occupies(job):
            self.admission.note(job)
        if status.job_id is not None and status.completion_time is None:
            self.following.follow(
                key_of(job),
                status.job_id,
                glimpse_told_by(status),
                since=_submitted(status),
                every=job.spec.poll_interval_seconds,
            )
        else:
            self.following.forget(key_of(job))

    def keep_place(self, job: NemoEvalJob) -> None:
        """A status that was just written decides whether the job has a place at the evaluator."""
        if occupies(job):
            self.admission.note(job)
        else:
            self.admission.release(key_of(job))

    def forget(self, key: ObjectKey) -> None:
        """The object is gone, or another operator's."""
        self.following.forget(key)
        self._waiting.forget(key)
        self.admission.leave(key)


def _submitted(status: EvalJobStatus) -> datetime:
    """When this attempt was; the run's start where only that is known."""
    told = status.submission.time if status.submission else status.start_time
    return parse_timestamp(told) if told else datetime.now(UTC)
