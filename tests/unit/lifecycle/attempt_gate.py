"""Gates for the laws: what an operator finds when it judges, by the states of baseline and evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from nemo_eval_operator.gates import CriterionReason, NoBaseline, evidence_of, gate_of_spec, judge, not_judged
from nemo_eval_operator.lifecycle.job import (
    BaselineFound,
    GateFacts,
    Judged,
    NewestJob,
    WaitForBaseline,
    baseline_hash,
    choose_named,
    difference,
    gate_hash,
)
from nemo_eval_operator.resources import BaselineUsed, GateBaseline, GateSpec, NemoEvalJob
from tests.unit.gates.documents import NAME, results
from tests.unit.lifecycle.objects import ago, evaljob, finished, stamp

__all__ = ["BASELINES", "GATES", "GateWorld", "gate_spec"]

SELECTOR: Final = {"selector": {"matchLabels": {"series": "nightly"}}}

GATES: Final[dict[str, dict[str, Any] | None]] = {
    "none": None,
    "floor": {"criteria": [{"score": NAME, "minimum": 0.5}]},
    "floor that is not reached": {"criteria": [{"score": NAME, "minimum": 0.9}]},
    "baseline by name": {
        "baseline": {"jobRef": {"name": "prod"}},
        "criteria": [{"score": NAME, "maxDrop": 0.5}],
    },
    "baseline by labels": {"baseline": SELECTOR, "criteria": [{"score": NAME, "maxDrop": 0.5}]},
    "first of a series": {
        "baseline": SELECTOR,
        "ifNoBaseline": "Skip",
        "criteria": [{"score": NAME, "maxDrop": 0.5}],
    },
    "inconclusive": {
        "baseline": {"jobRef": {"name": "prod"}},
        "onInconclusive": "Pass",
        "criteria": [{"score": NAME, "maxDrop": 0.001}],
    },
}

BASELINES: Final = ("running", "completed", "not passed", "failed", "absent", "two")

SCORES: Final = evidence_of(results([1.0, 1.0, 1.0, 0.0] * 10))


def gate_spec(name: str) -> GateSpec | None:
    """Return the gate of that name as the API server hands it over."""
    return evaljob(gate=GATES[name]).spec.gate


@dataclass
class GateWorld:
    """What there is to judge by; kept copies of a baseline survive whatever happens to it."""

    baseline: str = "absent"
    evidence_lost: bool = False

    def judge(self, job: NemoEvalJob, *, may_wait: bool) -> GateFacts:
        """Return what `JudgeGate` finds."""
        spec, used = job.spec.gate, None
        assert spec is not None
        baseline: Any = None
        if spec.baseline is not None:
            kept = job.status.gate.baseline if job.status.gate else None
            if kept is not None and kept.choice == baseline_hash(job):
                used, baseline = kept, difference(job, kept) or SCORES
            else:
                chosen = self._chosen(job, spec.baseline, skips=spec.if_no_baseline == "Skip", wait=may_wait)
                if isinstance(chosen, WaitForBaseline):
                    return GateFacts(gate_hash(job), chosen)
                used, baseline = self._copied(job, chosen)
        if self.evidence_lost:
            lost = not_judged(spec, CriterionReason.EVIDENCE_MISSING, "the ConfigMap is not there")
            return GateFacts(gate_hash(job), Judged(lost, used))
        return GateFacts(gate_hash(job), Judged(judge(gate_of_spec(spec), SCORES, baseline), used))

    def _copied(
        self, job: NemoEvalJob, chosen: BaselineFound | NoBaseline | None
    ) -> tuple[BaselineUsed | None, Any]:
        if not isinstance(chosen, BaselineFound):
            return None, chosen
        copy = {"config_map": "copy", "digest": "sha256:copy"}
        return chosen.used.model_copy(update=copy), difference(job, chosen.used) or SCORES

    def _chosen(
        self, job: NemoEvalJob, baseline: GateBaseline, *, skips: bool, wait: bool
    ) -> BaselineFound | WaitForBaseline | NoBaseline | None:
        others = self._others(job)
        if baseline.job_ref is not None:
            return choose_named(job, "prod", others[0] if others else None, may_wait=wait)
        newest = NewestJob(job, passed=baseline.passed)
        for other in others:
            newest.add(other)
        return newest.choice() or (None if skips else newest.nothing_found)

    def _others(self, job: NemoEvalJob) -> list[NemoEvalJob]:
        measured = job.status.benchmark
        verdict = "Failed" if self.baseline == "not passed" else "Passed"
        ended = finished(gate={"verdict": verdict, "hash": "sha256:theirs"}, completionTime=stamp(ago(5)))
        status = {
            "running": {"phase": "Running"},
            "failed": ended | {"phase": "Failed", "gate": None},
        }.get(self.baseline, ended)
        status |= {"benchmark": measured.model_dump(by_alias=True) if measured else None}
        names = {"absent": [], "two": ["prod", "prod-too"]}.get(self.baseline, ["prod"])
        return [evaljob(meta={"name": name, "uid": f"u-{name}"}, status=status) for name in names]
