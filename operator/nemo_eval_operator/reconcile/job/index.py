"""Index of jobs in memory between two reconciliations: tracked jobs, slots and waiters."""

from __future__ import annotations

from nemo_eval_operator.kube import ObjectKey, key_of
from nemo_eval_operator.lifecycle.job import evaluator_of_record, occupies, run_of, snapshot_in_status
from nemo_eval_operator.reconcile.lanes import put_in_lane
from nemo_eval_operator.reconcile.waiters import BenchmarkWaiters
from nemo_eval_operator.resources import NemoEvalJob
from nemo_eval_operator.runtime.score_gauges import ScoreGauges
from nemo_eval_operator.sessions import Evaluator, Evaluators

__all__ = ["JobIndex"]


class JobIndex:
    """Brings it all up to date with an object. All of it can be lost: it comes from the objects again."""

    def __init__(
        self, *, evaluators: Evaluators, waiting: BenchmarkWaiters, scores: ScoreGauges | None = None
    ) -> None:
        self._evaluators = evaluators
        self._states = evaluators.states
        self._states.on_forget(waiting.forget)
        self._scores = scores
        if scores is not None:
            self._states.on_forget(scores.forget)

    def keep(self, job: NemoEvalJob, evaluator: Evaluator | None) -> None:
        """Follow the job's remote job at `evaluator` where it may be running, with its place there."""
        key, status = key_of(job), job.status
        if self._scores is not None:
            self._scores.see(job)
        # What cannot be followed at the moment may run all the same, and keeps its place.
        home = evaluator or (self._evaluators.find(evaluator_of_record(job)) if occupies(job) else None)
        self._evaluators.forget(key, but=home, runs=occupies(job))
        put_in_lane(self._states, key, home.used if home else None)
        self._keep_running(job)
        if evaluator is None:
            if home is not None:
                home.tracker.forget(key)
            return
        if status.completion_time is None and status.job_id is not None:
            evaluator.waiting.discard(key)
            evaluator.tracker.follow(
                key,
                status.job_id,
                snapshot_in_status(status),
                since=run_of(job).since,
                every=job.spec.poll_interval_seconds,
            )
            return
        if status.completion_time is not None:
            evaluator.orphans.unless_ended(key)
        evaluator.tracker.forget(key)
        awaited = not (status.completion_time or job.spec.suspend or job.metadata.deletion_timestamp)
        (evaluator.waiting.add if awaited else evaluator.waiting.discard)(key)

    def note_place(self, job: NemoEvalJob) -> None:
        """A status that was read may say that the job has a place."""
        if self._evaluators.replaced(job):
            self.forget(key_of(job))
        self._keep_running(job)

    def _keep_running(self, job: NemoEvalJob) -> None:
        if not occupies(job):
            return
        evaluator = self._evaluators.find(evaluator_of_record(job))
        if evaluator is not None:
            evaluator.slot_pool.note(job)
            evaluator.orphans.reclaim(job)
        else:
            self._evaluators.note_at_url(job)
        if self._evaluators.is_at_own_url(job):
            self._evaluators.own.orphans.reclaim(job)

    def keep_place(self, job: NemoEvalJob) -> None:
        """A status that was just written decides whether the job has a place, and where."""
        if occupies(job):
            self._keep_running(job)
            return
        for evaluator in self._evaluators:
            if job.status.completion_time is not None:
                # Before the place is given to another: what was not seen to end may run on.
                evaluator.orphans.unless_ended(key_of(job))
            evaluator.slot_pool.release(key_of(job))

    def give_back(self, key: ObjectKey) -> None:
        """The job is not submitted now: a slot that it was given is for others."""
        for evaluator in self._evaluators:
            evaluator.slot_pool.give_back(key)

    def forget(self, key: ObjectKey, *, ended: bool = False) -> None:
        """The object is gone, or another operator's; `ended`: nothing runs for it any more."""
        if not ended:
            self._evaluators.vanished(key)
        self._states.forget(key)
