"""The two laws of an attempt, against every order of faults, deaths and two operators that hypothesis finds.

1. It is never more than one remote job, if a POST's effect appears within `settle` of its intent.
2. The results of a job that completed end up in status, and stay in its history where it is run again.
3. Nothing is stuck: when the faults end, the run ends.

And of a deletion: an object that goes without naming what stays leaves nothing running.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from nemo_eval_operator.evaluator.model import EvaluatorError, Rejected
from nemo_eval_operator.resources import Phase
from tests.unit.lifecycle.attempt_calls import Call, Conflict, Fault
from tests.unit.lifecycle.attempt_operator import Gate, Operator, reconcile
from tests.unit.lifecycle.attempt_scenario import Scenario

WHO = st.integers(0, 1)
LANDS = st.sampled_from([None, 0.0, 0.5, 0.95, 1.0])

SOMETHING = {Fault.SLOW, Fault.DIED_BEFORE, Fault.DIED_AFTER}
BROKEN = SOMETHING | {Fault.REFUSED, Fault.FAILED_BEFORE, Fault.FAILED_AFTER}
MET = {
    "post": set(Fault) - {Fault.UNFILTERED},
    "list": BROKEN | {Fault.UNFILTERED, Fault.NOT_FOUND},
    "get": BROKEN,
    "cancel": BROKEN | {Fault.REJECTED, Fault.UNSUPPORTED},
    "delete": BROKEN,
    "results": BROKEN | {Fault.NOT_FOUND},
    "write": SOMETHING,
    "let go": SOMETHING,
    "judge": SOMETHING,
}
"""What can happen to which call."""

FAULTS = st.sampled_from(
    [(kind, fault) for kind, faults in MET.items() for fault in Fault if fault in faults]
)
FATES = st.sampled_from(
    [*(fault for fault in Fault if fault in MET["post"]), *[Fault.LOST, Fault.DIED_MEANWHILE] * 4]
)
"""What can happen to the first POST; a job that appears later is the hardest."""

MAX_KEPT = 6
"""Attempts of which nothing is dropped: the present one and five in history."""

COMPLETED = {"Completed", "GatePassed", "GateFailed", "GateInconclusive"}
"""Reasons of an attempt that has results."""

DEATHS = {Fault.DIED_BEFORE, Fault.DIED_AFTER, Fault.DIED_MEANWHILE}


class Attempt(RuleBasedStateMachine):
    """One NemoEvalJob, two operators that both hold it for theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = Scenario()
        self.gates = [Gate(), Gate()]
        self.passes: list[Operator | None] = [None, None]
        self.calls: list[Call | None] = [None, None]
        self.rejected = self.deleted = self.cancelled = False

    @initialize(minutes=st.integers(-14, 14), who=WHO, fate=FATES, lands=LANDS)
    def begin_with_a_post(self, minutes: int, who: int, fate: Fault, lands: float | None) -> None:
        self.scenario.skew = timedelta(minutes=minutes)
        self.go_on_until(who, "post")
        self.carry_out(who, fate, lands)

    @rule(who=WHO, failure=FAULTS, lands=LANDS)
    def one_call_fails(self, who: int, failure: tuple[str, Fault], lands: float | None) -> None:
        """One operator goes on without faults up to a call of some kind, which fails."""
        kind, fault = failure
        if self.go_on_until(who, kind):
            self.carry_out(who, fault, lands)

    @rule(who=WHO, kind=st.sampled_from(sorted(MET)))
    def stop_for_a_while(self, who: int, kind: str) -> None:
        """One operator is held up before a call of some kind; the world goes on without it."""
        self.go_on_until(who, kind)

    @rule(who=WHO)
    def work_without_faults(self, who: int) -> None:
        self.gates[who].outage = None
        self.begin(who)
        while self.passes[who] is not None:
            self.carry_out(who, Fault.NONE, None)

    @rule(seconds=st.sampled_from([0.5, 6.0, 30.0, 44.9, 45.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.scenario.pass_time(seconds)

    @precondition(lambda self: self.scenario.jobs)
    @rule(
        state=st.sampled_from(["pending", "running", "completed", "failed", "cancelled", "unknown"]),
        message=st.sampled_from(["dataset not found", "The server was restarted while the job was running."]),
    )
    def the_evaluator_goes_on(self, state: str, message: str) -> None:
        for job_id, job in self.scenario.jobs.items():
            if not job.is_terminal and (state != "cancelled" or job.status == "cancelling"):
                self.scenario.set_state(job_id, state, message)

    @invariant()
    def one_attempt_is_at_most_one_remote_job(self) -> None:
        assert set(self.scenario.created.values()) <= {1}

    @invariant()
    def what_goes_silently_leaves_nothing_running(self) -> None:
        if self.scenario.thing is None and self.scenario.left_behind is None:
            assert all(job.is_terminal for job in self.scenario.jobs.values())
            assert not self.scenario.flights

    @override
    def teardown(self) -> None:
        """The faults end, time passes: the run ends too, and with its results if it has any."""
        self.passes = [None, None]
        self.gates = [Gate(), Gate()]
        self.scenario.edit(suspend=False)
        for _ in range(12):
            self.scenario.pass_time(60)
            for job_id, job in self.scenario.jobs.items():
                if not job.is_terminal:
                    self.scenario.set_state(
                        job_id, "cancelled" if job.status == "cancelling" else "completed"
                    )
            self.work_without_faults(0)
            self.one_attempt_is_at_most_one_remote_job()
            self.what_goes_silently_leaves_nothing_running()
        if self.scenario.thing is None:
            assert self.deleted
            return
        status = self.scenario.thing.status
        assert status.completion_time is not None
        state = self.scenario.jobs[status.job_id].status if status.job_id in self.scenario.jobs else None
        if state == "completed":
            assert (status.phase, status.score) == (Phase.SUCCEEDED, "em=0.5")
        elif state is None:
            assert self.rejected or self.cancelled
        else:
            assert status.phase in {Phase.FAILED, Phase.CANCELLED}
        history = {entry.job_id: entry.outcome for entry in status.history or []}
        for job_id, job in self.scenario.jobs.items():
            if job.status == "completed" and job_id != status.job_id and (status.attempt or 0) <= MAX_KEPT:
                assert history[job_id] in COMPLETED

    def go_on_until(self, who: int, kind: str) -> bool:
        """Whether a call of this kind was about to be made before the operator came to rest."""
        for _ in range(2):
            self.begin(who)
            while self.passes[who] is not None:
                if self.begin(who).kind == kind:
                    return True
                self.carry_out(who, Fault.NONE, None)
        return False

    def begin(self, who: int) -> Call:
        """The call that this operator makes next; a new pass where it has none."""
        call = self.calls[who]
        if self.passes[who] is None or call is None:
            started = self.passes[who] = reconcile(self.scenario.clock, self.gates[who])
            call = self.calls[who] = next(started)
        return call

    def carry_out(self, who: int, fault: Fault, lands: float | None) -> None:
        """The world does the operator's call, and the operator goes on with what it hears of it."""
        running, call = self.passes[who], self.calls[who]
        assert running is not None
        assert call is not None
        self.calls[who] = None
        try:
            answer = None if fault is Fault.DIED_BEFORE else self.scenario.carry_out(call, fault, lands)
            raised = None
        except (EvaluatorError, Conflict) as error:
            answer, raised = None, error
        if fault in DEATHS:
            self.passes[who] = None
            return
        self.rejected |= isinstance(raised, Rejected) and call.kind == "post"
        try:
            self.calls[who] = running.send(answer) if raised is None else running.throw(raised)
        except (StopIteration, EvaluatorError, Conflict):
            self.passes[who] = None


class SteeredAttempt(Attempt):
    """The same while a user suspends the job, cancels it, runs it again and deletes it."""

    @rule(value=st.sampled_from(["one", "two"]))
    def a_user_requests_another_attempt(self, value: str) -> None:
        self.scenario.ask_again(value)

    @rule(value=st.booleans())
    def a_user_suspends(self, value: bool) -> None:
        self.scenario.edit(suspend=value)

    @precondition(lambda self: self.scenario.created)
    @rule()
    def a_user_cancels(self) -> None:
        self.cancelled = True
        self.scenario.edit(cancel=True)

    @precondition(lambda self: self.scenario.thing and self.scenario.thing.status.attempt)
    @rule()
    def a_user_deletes(self) -> None:
        self.deleted = True
        self.scenario.delete_object()


SETTINGS = settings(
    stateful_step_count=20,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

TestAttempt = Attempt.TestCase
TestAttempt.settings = settings(SETTINGS, max_examples=200)

TestSteeredAttempt = SteeredAttempt.TestCase
TestSteeredAttempt.settings = settings(SETTINGS, max_examples=150)


def test_a_look_up_counts_from_when_it_began() -> None:
    """The job appears after the evaluator has listed its jobs, and before the list arrives."""
    attempt = Attempt()
    assert attempt.go_on_until(0, "post")
    attempt.carry_out(0, Fault.LOST, 0.95)
    assert attempt.go_on_until(0, "list")
    attempt.carry_out(0, Fault.SLOW, None)
    attempt.work_without_faults(0)
    attempt.work_without_faults(0)
    assert attempt.scenario.created == {"1": 1}
    assert attempt.scenario.thing is not None
    assert attempt.scenario.thing.status.job_id == "eval-1"
