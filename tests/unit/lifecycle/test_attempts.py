"""Further attempts: retries as in batch/v1 Job, reruns on purpose, and what is kept of the earlier ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import pytest

from nemo_eval_operator.evaluator.model import Rejected
from nemo_eval_operator.lifecycle import RERUN_ANNOTATION, event_of_change, event_of_ignored_rerun
from nemo_eval_operator.lifecycle.infrastructure import is_infrastructure
from nemo_eval_operator.lifecycle.job import attempt_status, decide_job
from nemo_eval_operator.lifecycle.job.attempts import retry_delay
from nemo_eval_operator.lifecycle.steps import (
    CancelJob,
    DeleteJob,
    DeleteObject,
    FindJob,
    JobStep,
    RemoveFinalizer,
    RequeueAfter,
    SubmitJob,
    WriteStatus,
)
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob
from tests.unit.lifecycle.objects import (
    CLAIMED,
    FAILED,
    HELD,
    NOW,
    SUSPENDED,
    UID,
    WORKING,
    ago,
    condition_statuses,
    evaljob,
    facts,
    finished,
    followed,
    intent,
    lookup,
    remote,
    stamp,
    working,
)

RESTARTED = "The server was restarted while the job was running."


def asked(value: str) -> dict[str, Any]:
    return {"annotations": {RERUN_ANNOTATION: value}}


def written(step: JobStep) -> EvalJobStatus:
    assert isinstance(step, WriteStatus), step
    return step.status


def after(job: NemoEvalJob, step: JobStep) -> NemoEvalJob:
    return job.model_copy(update={"status": written(step)})


def reason(status: EvalJobStatus) -> str:
    return status.conditions[0].reason


LOW_ON_MEMORY = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. Container main was "
    "using 5Gi, request is 0, has larger consumption of memory."
)


@pytest.mark.parametrize(
    ("message", "infrastructure"),
    [
        (RESTARTED, True),
        ("Pod was evicted: node had memory pressure", True),
        ("job failed, reason: Evicted", True),
        ("pod eval-1-abc has been preempted by a higher priority", True),
        ("PreemptionByScheduler", True),
        ("DeletionByTaintManager: Taint manager: deleting due to NoExecute taint", True),
        ("node gpu-7 unreachable: NodeLost", True),
        ("the node was drained", True),
        ("node is not ready", True),
        (
            "model endpoint 'http://m/v1' cannot be reached: [Errno 111] Connection refused (attempts: 6)",
            True,
        ),
        ("Job cannot be launched: the model could not be reached", True),
        ("Preempted in order to admit critical pod", True),
        (LOW_ON_MEMORY, True),
        ("The node had condition: [DiskPressure]. ", True),
        ("Pod was rejected: Node didn't have enough resource: cpu, requested: 4, used: 3, capacity: 4", True),
        ("Pod was terminated in response to imminent node shutdown.", True),
        ("pod deleted", True),
        ("Error (exit code 1): pod deleted", True),
        ("pod deleted during operation", True),
        (None, False),
        ("", False),
        ("dataset not found", False),
        ("the model endpoint answered 500", False),
        ("connection refused by http://model:8000", False),
        ("OOMKilled", False),
        ("Job cannot be launched: invalid config", False),
        ("ValueError: nodes must not be empty", False),
        ("task 'restarted' has no metric", False),
        ("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.", False),
        ("row 3: expected 'pod deleted', got 'pod created'", False),
        ("evicted tenants in the row's text", False),
    ],
)
def test_only_what_blames_a_server_or_a_node_is_infrastructure(
    message: str | None, infrastructure: bool
) -> None:
    assert is_infrastructure(message) is infrastructure


class TestRetries:
    """backoffLimit counts retries of failures that are not the evaluation's own."""

    failed = facts(remote=remote("failed", status_details={"message": RESTARTED}))

    def test_never_by_default(self) -> None:
        status = written(decide_job(evaljob(meta=HELD, status=followed()), self.failed))
        assert (reason(status), status.attempt, condition_statuses(status.conditions)) == (
            "EvaluationFailed",
            1,
            FAILED,
        )

    @pytest.mark.parametrize(
        ("status", "message", "again"),
        [
            (followed(), RESTARTED, True),
            (followed(), "dataset not found", False),
            (followed(), None, False),
            (followed(adopted=True), "dataset not found", True),
            (followed(adopted=True), None, True),
            (followed(attempt=2, retries=1), RESTARTED, True),
            (followed(attempt=3, retries=2), RESTARTED, False),
        ],
    )
    def test_what_is_retried(self, status: dict[str, Any], message: str | None, again: bool) -> None:
        job = evaljob(meta=HELD, status=status, backoffLimit=2)
        news = facts(remote=remote("failed", status_details={"message": message}))
        next_status = written(decide_job(job, news))
        assert next_status.attempt == (job.status.attempt or 0) + again
        assert (next_status.completion_time is None) is again

    @pytest.mark.parametrize(("limit", "retries", "again"), [(0, None, False), (2, 1, True), (2, 2, False)])
    def test_a_refusal_that_blames_the_infrastructure_is_retried(
        self, limit: int, retries: int | None, again: bool
    ) -> None:
        error = Rejected("Job cannot be launched: model endpoint cannot be reached", status_code=400)
        job = evaljob(meta=HELD, status=intent(attempt=2, retries=retries), backoffLimit=limit)
        status = attempt_status.not_submitted(job, NOW, error)
        assert status.submission is None
        if again:
            assert (reason(status), status.attempt, status.retries) == ("BackOff", 3, 2)
            assert status.history
            assert (status.history[-1].outcome, status.history[-1].job_id) == ("EvaluatorRejected", None)
            return
        ended = "BackoffLimitExceeded" if retries else "EvaluatorRejected"
        assert (reason(status), status.attempt, condition_statuses(status.conditions)) == (ended, 2, FAILED)
        assert "kubectl annotate --overwrite -n team-a nemoevaljob qa-llama" in (status.message or "")

    def test_another_refusal_is_final(self) -> None:
        job = evaljob(meta=HELD, status=intent(), backoffLimit=2)
        error = Rejected("tasks: Field required", status_code=422)
        status = attempt_status.not_submitted(job, NOW, error)
        assert (reason(status), status.attempt, condition_statuses(status.conditions)) == (
            "EvaluatorRejected",
            1,
            FAILED,
        )

    @pytest.mark.parametrize("spec", [{"cancel": True}, {"activeDeadlineSeconds": 1}])
    def test_what_is_to_end_is_not_retried(self, spec: dict[str, Any]) -> None:
        job = evaljob(meta=HELD, status=followed(), backoffLimit=2, **spec)
        assert reason(written(decide_job(job, self.failed))) == "EvaluationFailed"

    def test_the_limit_is_named_when_it_is_reached(self) -> None:
        job = evaljob(meta=HELD, status=followed(attempt=2, retries=1), backoffLimit=1)
        status = written(decide_job(job, self.failed))
        assert reason(status) == "BackoffLimitExceeded"
        assert status.message is not None
        assert RESTARTED in status.message

    def test_a_result_after_a_retry_is_a_result(self) -> None:
        job = evaljob(meta=HELD, status=followed(attempt=2, retries=1), backoffLimit=1)
        news = facts(remote=remote("failed", status_details={"message": "dataset not found"}))
        assert reason(written(decide_job(job, news))) == "EvaluationFailed"

    def test_a_retry_begins_with_nothing_of_the_attempt_but_its_record(self) -> None:
        job = evaljob(meta=HELD, status=followed(progress={"percent": 40}), backoffLimit=1)
        status = written(decide_job(job, self.failed))
        assert (status.job_id, status.submission, status.progress) == (None, None, None)
        assert (status.attempt, status.retries, status.phase) == (2, 1, "Pending")
        assert status.start_time == job.status.start_time, "activeDeadlineSeconds counts all attempts"
        (entry,) = status.history or []
        assert (entry.number, entry.job_id, entry.outcome) == (1, "eval-1", "EvaluationFailed")
        assert (entry.start_time, entry.completion_time) == (stamp(ago(100)), stamp(NOW))
        assert (reason(status), condition_statuses(status.conditions)) == ("BackOff", WORKING)
        assert status.message is not None
        assert stamp(NOW + timedelta(seconds=10)) in status.message
        event = event_of_change(job.status.conditions, status.conditions)
        assert event is not None
        assert (event.type, event.reason) == ("Warning", "BackOff")

    @pytest.mark.parametrize(
        ("retry", "seconds"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 360), (8, 360), (100, 360)]
    )
    def test_delays_are_those_of_a_batch_job(self, retry: int, seconds: float) -> None:
        assert retry_delay(retry) == timedelta(seconds=seconds)

    def backing_off(self, **spec: Any) -> NemoEvalJob:
        job = evaljob(meta=CLAIMED, status=followed(), backoffLimit=1, **spec)
        return after(job, decide_job(job, self.failed))

    @pytest.mark.parametrize(
        ("seconds", "step"),
        [(0, RequeueAfter(10.0)), (9, RequeueAfter(1.0)), (10, SubmitJob()), (1000, SubmitJob())],
    )
    def test_a_retry_waits_for_its_time(self, seconds: float, step: JobStep) -> None:
        scenario = facts(now=NOW + timedelta(seconds=seconds))
        assert decide_job(self.backing_off(), scenario) == step

    def test_a_deadline_that_passes_meanwhile_ends_the_wait(self) -> None:
        job = self.backing_off(activeDeadlineSeconds=105)
        assert decide_job(job, facts()) == RequeueAfter(5.0)
        late = facts(now=NOW + timedelta(seconds=5))
        status = written(decide_job(job, late))
        assert (reason(status), condition_statuses(status.conditions)) == ("DeadlineExceeded", FAILED)

    def test_suspending_stops_the_clock_of_the_deadline(self) -> None:
        job = self.backing_off(activeDeadlineSeconds=105)
        held = job.model_copy(update={"spec": job.spec.model_copy(update={"suspend": True})})
        late = facts(now=NOW + timedelta(seconds=5))
        step = decide_job(held, late)
        assert condition_statuses(written(step).conditions) == SUSPENDED
        resumed = after(held, step).model_copy(update={"spec": job.spec})
        status = written(decide_job(resumed, late))
        assert (reason(status), condition_statuses(status.conditions)) == ("BackOff", WORKING)
        assert decide_job(after(resumed, WriteStatus(status)), late) == RequeueAfter(5.0)

    def test_cancelling_ends_the_wait(self) -> None:
        job = self.backing_off()
        cancelled = job.model_copy(update={"spec": job.spec.model_copy(update={"cancel": True})})
        assert reason(written(decide_job(cancelled, facts()))) == "Cancelled"

    def test_an_adopted_job_is_known_as_one(self) -> None:
        job = evaljob(meta=HELD, status=intent(10))
        assert written(decide_job(job, facts(lookup=lookup(remote())))).adopted is True


ENDED = [
    finished(),
    followed(phase="Failed", completionTime=stamp(NOW), conditions=working("ExternalJobLost")),
    followed(phase="Failed", completionTime=stamp(NOW), conditions=working("EvaluatorRejected"), jobId=None),
]


class TestRerun:
    """The annotation starts another attempt, once for each value, and never beside a running one."""

    @pytest.mark.parametrize("status", ENDED)
    def test_a_finished_job_starts_another_attempt(self, status: dict[str, Any]) -> None:
        job = evaljob(meta=asked("again"), status=status | {"retries": 2, "score": "em=0.5"})
        step = decide_job(job, facts())
        fresh = written(step)
        assert (fresh.attempt, fresh.rerun, fresh.phase) == (2, "again", "Pending")
        assert (fresh.job_id, fresh.start_time, fresh.completion_time, fresh.score) == (
            None,
            None,
            None,
            None,
        )
        assert (fresh.retries, fresh.results_ref) == (None, None)
        assert condition_statuses(fresh.conditions) == WORKING
        (entry,) = fresh.history or []
        assert (entry.number, entry.job_id) == (1, job.status.job_id)
        assert entry.outcome == job.status.conditions[0].reason
        assert decide_job(after(job, step), facts()) == SubmitJob(claim=True)

    def test_a_value_is_acted_on_once(self) -> None:
        job = evaljob(meta=asked("again"), status=finished(rerun="again"), ttlSecondsAfterFinished=0)
        assert decide_job(job, facts()) == DeleteObject()

    def test_taking_the_annotation_away_starts_nothing(self) -> None:
        assert decide_job(evaljob(status=finished(rerun="again")), facts()) == RequeueAfter()

    def test_another_attempt_comes_before_the_end_of_the_time_to_live(self) -> None:
        job = evaljob(meta=asked("again"), status=finished(1000), ttlSecondsAfterFinished=0)
        assert written(decide_job(job, facts())).attempt == 2

    @pytest.mark.parametrize("status", [intent(10), followed()])
    def test_never_while_one_may_be_running(self, status: dict[str, Any]) -> None:
        job = evaljob(meta=HELD | asked("again"), status=status)
        assert isinstance(decide_job(job, facts()), FindJob | RequeueAfter)

    def test_one_that_was_asked_for_meanwhile_starts_when_the_running_one_has_ended(self) -> None:
        job = evaljob(meta=HELD | asked("again"), status=followed(rerun="first"))
        ended = after(job, decide_job(job, facts(remote=remote("cancelled"))))
        assert ended.status.attempt == 1
        assert written(decide_job(ended, facts())).attempt == 2

    def test_a_job_that_is_not_submitted_yet_needs_no_other_attempt(self) -> None:
        job = evaljob(meta=HELD | asked("first"))
        assert decide_job(job, facts()) == SubmitJob(claim=True)

    def test_a_cancelled_job_stays_so_and_says_why_once(self) -> None:
        job = evaljob(meta=asked("again"), status=finished(), cancel=True)
        step = decide_job(job, facts())
        ignored = after(job, step)
        assert (ignored.status.attempt, ignored.status.completion_time) == (1, job.status.completion_time)
        event = event_of_ignored_rerun(job, ignored)
        assert event is not None
        assert (event.type, event.reason) == ("Warning", "RerunIgnored")
        assert decide_job(ignored, facts()) == RequeueAfter()

    def test_a_rerun_that_happens_is_not_called_ignored(self) -> None:
        job = evaljob(meta=asked("again"), status=finished())
        assert event_of_ignored_rerun(job, after(job, decide_job(job, facts()))) is None

    def test_history_keeps_the_last_five(self) -> None:
        job = evaljob(meta=asked("0"), status=finished())
        for number in range(1, 8):
            begun = after(job, decide_job(job, facts()))
            job = evaljob(
                meta=asked(str(number)),
                status=begun.status.to_manifest() | {"jobId": f"eval-{number}", "completionTime": stamp(NOW)},
            )
        history = job.status.history or []
        assert [entry.number for entry in history] == [3, 4, 5, 6, 7]

    def test_a_lost_status_is_adopted_as_the_attempt_that_it_was(self) -> None:
        claimed = {"annotations": {"evaluator.nemo.dev/claimed-by-uid": UID, RERUN_ANNOTATION: "again"}}
        third = remote(custom_fields={"k8s-uid": UID, "k8s-attempt": "3"})
        status = written(decide_job(evaljob(meta=HELD | claimed), facts(lookup=lookup(third))))
        assert (status.attempt, status.rerun, status.adopted) == (3, "again", None)


class TestDeletedWithHistory:
    history: ClassVar = [
        {"number": number, "jobId": f"eval-{number}", "outcome": "Completed", "completionTime": stamp(NOW)}
        for number in (1, 2)
    ]

    @pytest.mark.parametrize("status", [finished(attempt=3, jobId="eval-3"), {"attempt": 3}])
    def test_delete_removes_the_remote_jobs_of_all_attempts(self, status: dict[str, Any]) -> None:
        meta = HELD | {"deletionTimestamp": stamp(NOW)}
        job = evaljob(meta=meta, status=status | {"history": self.history}, deletionPolicy="Delete")
        deleted: frozenset[str] = frozenset()
        while isinstance(step := decide_job(job, facts(deleted=deleted)), DeleteJob):
            deleted |= {step.job_id}
        assert step == RemoveFinalizer()
        assert deleted == {"eval-1", "eval-2"} | ({"eval-3"} if "jobId" in status else set())

    def test_cancel_leaves_the_finished_ones_alone(self) -> None:
        meta = HELD | {"deletionTimestamp": stamp(NOW)}
        job = evaljob(meta=meta, status=followed(attempt=3, history=self.history))
        assert decide_job(job, facts(remote=remote())) == CancelJob("eval-1")
        assert decide_job(job, facts(remote=remote("cancelled"))) == RemoveFinalizer()


class TestDeletedWithoutStatus:
    """Status was lost before the object was deleted: the remote job is found by its mark."""

    meta = HELD | {
        "deletionTimestamp": stamp(NOW),
        "creationTimestamp": stamp(ago(5000)),
        "annotations": {"evaluator.nemo.dev/claimed-by-uid": UID},
    }

    def test_it_is_looked_for(self) -> None:
        step = decide_job(evaljob(meta=self.meta), facts())
        assert step == FindJob(created_since=ago(5000) - timedelta(hours=25), attempt=None)

    def test_what_is_found_is_cancelled(self) -> None:
        job = evaljob(meta=self.meta)
        found = remote(custom_fields={"k8s-uid": UID, "k8s-attempt": "2"})
        step = decide_job(job, facts(lookup=lookup(found)))
        assert (written(step).job_id, written(step).attempt) == ("eval-1", 2)
        assert decide_job(after(job, step), facts(remote=found)) == CancelJob("eval-1")

    def test_nothing_found_means_that_nothing_is_left(self) -> None:
        assert decide_job(evaljob(meta=self.meta), facts(lookup=lookup())) == RemoveFinalizer()

    @pytest.mark.parametrize("scenario", [{"failed": True}, {"outage": "connection refused"}])
    def test_looking_is_bounded(self, scenario: dict[str, Any]) -> None:
        assert isinstance(decide_job(evaljob(meta=self.meta), facts(**scenario)), RequeueAfter)
        late = facts(now=NOW + timedelta(seconds=60), **scenario)
        step = decide_job(evaljob(meta=self.meta), late)
        assert isinstance(step, RemoveFinalizer)
        assert step.left_behind is not None
