"""The laws of an attempt while its gate is set, changed and removed, and baseline and evidence come and go.

Besides the laws of `test_laws`:

1. A verdict starts no attempt: a failed gate is not a failure that is retried.
2. Judging twice, also later, gives the same status byte for byte.
3. A run is ready by the verdict on its present gate only.
4. When the faults end, each completed run with a gate has a verdict.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from typing_extensions import override

from nemo_eval_operator.lifecycle import RERUN_ANNOTATION
from nemo_eval_operator.lifecycle.job import Judged, gate_hash
from nemo_eval_operator.lifecycle.job.gate import decide_gate
from nemo_eval_operator.lifecycle.steps import WriteStatus
from nemo_eval_operator.resources import EvalJobStatus, GateVerdict, NemoEvalJob, Phase
from tests.unit.lifecycle.attempt_gate import BASELINES, GATES, gate_spec
from tests.unit.lifecycle.test_laws import SETTINGS, SteeredAttempt

GATE_NAMES = st.sampled_from(sorted(GATES))
BASELINE_STATES = st.sampled_from(BASELINES)


class GatedAttempt(SteeredAttempt):
    """One NemoEvalJob with a gate that its owner changes."""

    def __init__(self) -> None:
        super().__init__()
        self.completed_as: int | None = None

    @initialize(name=GATE_NAMES, baseline=BASELINE_STATES)
    def begin_with_a_gate(self, name: str, baseline: str) -> None:
        self.scenario.gate.baseline = baseline
        self.scenario.edit(gate=gate_spec(name))

    @rule(name=GATE_NAMES)
    def a_user_changes_the_gate(self, name: str) -> None:
        self.scenario.edit(gate=gate_spec(name))

    @rule(state=BASELINE_STATES)
    def the_baseline_changes(self, state: str) -> None:
        self.scenario.gate.baseline = state

    @rule(lost=st.booleans())
    def the_evidence_is_deleted_or_restored(self, lost: bool) -> None:
        self.scenario.gate.evidence_lost = lost

    @rule(who=st.integers(0, 1))
    def the_run_completes_and_is_seen(self, who: int) -> None:
        """Random steps alone rarely come as far as a verdict."""
        self.the_evaluator_completes()
        self.work_without_faults(who)

    def the_evaluator_completes(self) -> None:
        for job_id, job in self.scenario.jobs.items():
            if not job.is_terminal and job.status != "cancelling":
                self.scenario.set_state(job_id, "completed")

    @invariant()
    def a_verdict_starts_no_attempt(self) -> None:
        job = self.scenario.thing
        if job is None or RERUN_ANNOTATION in job.metadata.annotations:
            return
        if self.completed_as is not None:
            assert (job.status.attempt, job.status.phase) == (self.completed_as, Phase.SUCCEEDED)
            assert max(map(int, self.scenario.created), default=1) <= self.completed_as
        elif job.status.phase is Phase.SUCCEEDED:
            self.completed_as = job.status.attempt

    @invariant()
    def judging_twice_gives_the_same_status(self) -> None:
        job = self.scenario.thing
        if job is None or job.spec.gate is None or job.status.phase is not Phase.SUCCEEDED:
            return
        first, second = self.judged(job), self.judged(job)
        if first is None or second is None:
            assert first == second
            return
        assert first.model_dump_json() == second.model_dump_json()
        after = job.model_copy(update={"status": first})
        assert decide_gate(after, None, self.scenario.now, None) is None
        again = self.judged(after, later=timedelta(hours=1))
        assert again is not None
        assert again.model_dump_json() == first.model_dump_json()

    def judged(self, job: NemoEvalJob, *, later: timedelta = timedelta()) -> EvalJobStatus | None:
        """The status by a new judgement, as if none was known; None while the baseline is waited for."""
        facts = self.scenario.gate.judge(job, may_wait=True)
        if not isinstance(facts.found, Judged):
            return None
        known = job.status.gate
        unknown = known.model_copy(update={"hash": "sha256:another"}) if known else None
        open_job = job.model_copy(update={"status": job.status.model_copy(update={"gate": unknown})})
        step = decide_gate(open_job, facts, self.scenario.now + later, None)
        assert isinstance(step, WriteStatus)
        return step.status

    @invariant()
    def a_run_is_ready_by_the_verdict_on_its_gate_only(self) -> None:
        job = self.scenario.thing
        if job is None or job.status.observed_generation != job.metadata.generation:
            return
        ready = any((one.type, one.status) == ("Ready", "True") for one in job.status.conditions)
        if job.spec.gate is None or job.status.phase is not Phase.SUCCEEDED:
            return
        gate = job.status.gate
        assert gate is not None
        if ready:
            lets_through = (
                gate.verdict is GateVerdict.INCONCLUSIVE and job.spec.gate.on_inconclusive == "Pass"
            )
            assert gate.hash == gate_hash(job)
            assert gate.verdict is GateVerdict.PASSED or lets_through

    @override
    def teardown(self) -> None:
        if self.scenario.gate.baseline == "running":
            self.scenario.gate.baseline = "completed"
        super().teardown()
        self.a_verdict_starts_no_attempt()
        self.judging_twice_gives_the_same_status()
        self.a_run_is_ready_by_the_verdict_on_its_gate_only()
        job = self.scenario.thing
        if job is None or job.status.phase is not Phase.SUCCEEDED:
            return
        gate = job.status.gate
        assert (gate is None) == (job.spec.gate is None)
        assert gate is None or (gate.hash == gate_hash(job) and gate.verdict is not GateVerdict.PENDING)


TestGatedAttempt = GatedAttempt.TestCase
TestGatedAttempt.settings = settings(SETTINGS, max_examples=200)
