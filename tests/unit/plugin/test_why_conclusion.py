"""The end of `kubectl nemoeval why`: the cause once and whole, what to do, and commands to copy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import Rejected
from nemo_eval_operator.lifecycle.job import end_status
from nemo_eval_operator.plugin.links import Facts, chain_of
from nemo_eval_operator.plugin.screen import Style
from nemo_eval_operator.plugin.why_screen import why_lines
from tests.unit.lifecycle.objects import (
    NOW,
    UID,
    benchmark,
    condition,
    evaljob,
    finished,
    followed,
    intent,
    working,
)
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"
CAUSE = "model 'nope' is not registered: " + "register it first, " * 30 + "or name another one"
REFUSED = end_status.refused(evaljob(status=intent()), NOW, Rejected(CAUSE, status_code=422)).to_manifest()
READY = {"observedGeneration": 1, "conditions": [condition("Ready", "True", "ConfigReady")]}
STALLED = ("Ready", "False"), ("Stalled", "True")


def event(message: str, reason: str = "EvaluatorRejected", kind: str = "Warning") -> dict[str, Any]:
    return {"involvedObject": {"uid": UID}, "type": kind, "reason": reason, "message": message, "count": 1}


def ended(
    reason: str, *more: tuple[str, str], message: str = "what happened", **status: Any
) -> dict[str, Any]:
    conditions = [condition(*one, reason) | {"message": message} for one in (*STALLED, *more)]
    return finished(conditions=conditions, message=message, **status)


def test_a_requested_rerun_is_said_instead_of_the_former_failure(api: ClusterApi, run: Run) -> None:
    annotations = {"evaluator.nemo.dev/rerun": "2"}
    api.put(JOBS, evaljob(meta={"annotations": annotations}, status=REFUSED | {"attempt": 1}))
    code, out, _ = run("why", "qa-llama")
    assert code == 0
    assert "qa-llama: Rerun requested (attempt 2 has not started yet) for " in out
    assert "In the way: spec" in out
    assert "  A rerun is requested, and the operator has not started it yet." in out
    assert "is not registered" not in out
    assert "kubectl nemoeval rerun" not in out


def test_the_cause_is_shown_once_and_whole_with_the_command_of_the_plugin(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, evaljob(status=REFUSED))
    api.events = [event(REFUSED["message"])]
    code, out, _ = run("why", "qa-llama")
    text = " ".join(out.split())
    assert code == 0
    assert text.count("model 'nope' is not registered") == 1
    assert f"In the way: remote job (EvaluatorRejected) {CAUSE} The evaluator refused the job." in text
    assert out.splitlines()[-2:] == [
        "  kubectl nemoeval run --like qa-llama -m MODEL -n team-a",
        "  kubectl nemoeval rerun qa-llama -n team-a",
    ]
    assert "annotate" not in out
    assert "Warning" not in out


def test_an_event_that_says_more_than_the_condition_is_shown(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, evaljob(status=REFUSED))
    api.events = [event("another cause. To start another attempt: kubectl annotate x")]
    out = run("why", "qa-llama")[1]
    assert "Warning EvaluatorRejected: another cause\n" in out


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("BenchmarkNotFound", "kubectl get nemobenchmarks -n team-a"),
        ("BenchmarkNotReady", "kubectl describe nemobenchmark qa -n team-a"),
        ("ConnectionNotFound", "kubectl get nemoevaluatorconnections -n team-a"),
        ("SecretNotFound", "kubectl get secrets -n team-a"),
        ("ConfigMapNotFound", "kubectl get configmaps -n team-a"),
    ],
)
def test_what_is_missing_comes_with_a_list_of_what_exists(
    api: ClusterApi, run: Run, reason: str, command: str
) -> None:
    status = {"observedGeneration": 1, "phase": "Pending", "conditions": working(reason)}
    api.put(JOBS, evaljob(status=status))
    api.put("nemobenchmarks", benchmark(status=READY))
    assert f"\n  {command}\n" in run("why", "qa-llama")[1]


def test_an_object_that_does_not_exist_comes_with_a_list_of_those_that_do(api: ClusterApi, run: Run) -> None:
    status = {"observedGeneration": 1, "phase": "Pending", "conditions": working("Queued")}
    api.put(JOBS, evaljob(status=status))
    assert run("why", "qa-llama")[1].endswith("\n  kubectl get nemobenchmarks -n team-a\n")


def test_a_suspended_run_comes_with_the_command_that_resumes_it(api: ClusterApi, run: Run) -> None:
    conditions = [condition("Suspended", "True", "Suspended")]
    api.put("nemobenchmarks", benchmark(status=READY))
    api.put(JOBS, evaljob(status={"observedGeneration": 1, "conditions": conditions}, suspend=True))
    assert run("why", "qa-llama")[1].endswith("\n  kubectl nemoeval resume qa-llama -n team-a\n")


def test_a_failed_evaluation_comes_with_its_log(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, evaljob(status=ended("EvaluationFailed", ("Failed", "True"), phase="Failed")))
    assert run("why", "qa-llama")[1].splitlines()[-2:] == [
        "  kubectl nemoeval logs qa-llama -n team-a",
        "  kubectl nemoeval rerun qa-llama -n team-a",
    ]


def test_a_gate_without_a_decision_says_what_to_do_about_its_own_reason(api: ClusterApi, run: Run) -> None:
    criterion = {"score": "em", "tier": "Critical", "result": "Inconclusive", "message": "another config"}
    used = {"name": "qa-old", "uid": "u", "attempt": 1, "choice": "c"}
    gate = {
        "verdict": "Inconclusive",
        "hash": "h",
        "baseline": used,
        "criteria": [criterion | {"reason": "BenchmarkDiffers"}],
    }
    status = ended("GateInconclusive", ("GatePassed", "Unknown"), ("Complete", "True"), gate=gate)
    api.put(JOBS, evaljob(status=status, gate={"criteria": [{"score": "em", "minimum": 0.5}]}))
    out = run("why", "qa-llama")[1]
    assert "What to do: Run the baseline again" in out
    assert "Evaluate more items" not in out
    assert "\n  kubectl nemoeval compare qa-old qa-llama -n team-a\n" in out


@pytest.mark.parametrize(
    ("verdict", "more", "action"),
    [
        ("Inconclusive", {"itemsNeeded": 1234}, "Evaluate about 1,234 items or more, or change the rules"),
        ("Inconclusive", {}, "Evaluate more items, or change the rules of spec.gate: the run is then judged"),
        (
            "Inconclusive",
            {"tier": "Advisory", "reason": "ItemsDiffer"},
            "Evaluate more items, correct what is missing, or change spec.gate.",
        ),
        ("Failed", {"itemsNeeded": 1234}, "Do not use the model"),
    ],
)
def test_what_to_do_about_an_interval_that_decides_nothing(
    api: ClusterApi, run: Run, verdict: str, more: dict[str, Any], action: str
) -> None:
    criterion = {"score": "em", "tier": "Critical", "result": "Inconclusive", "message": "m", **more}
    gate = {"verdict": verdict, "hash": "h", "criteria": [criterion]}
    passed = "False" if verdict == "Failed" else "Unknown"
    status = ended(f"Gate{verdict}", ("GatePassed", passed), ("Complete", "True"), gate=gate)
    api.put(JOBS, evaljob(status=status, gate={"criteria": [{"score": "em", "minimum": 0.5}]}))
    assert f"What to do: {action}" in " ".join(run("why", "qa-llama")[1].split())


def test_a_run_that_its_user_cancelled_is_no_failure(api: ClusterApi, run: Run) -> None:
    status = ended(
        "Cancelled", ("Failed", "True"), message="cancelled as spec.cancel asks", phase="Cancelled"
    )
    api.put(JOBS, evaljob(status=status, cancel=True))
    api.events = [event("cancelled as spec.cancel asks", "Cancelled")]
    out = run("why", "qa-llama")[1]
    assert "  - remote job  eval-1  Cancelled\n" in out
    assert "Stopped at: remote job eval-1 (Cancelled)\n" in out
    assert "✗" not in out
    assert "Warning" not in out
    assert "rerun" not in out


def test_a_run_that_succeeded_shows_its_scores(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, evaljob(status=finished(score="em=0.5", resultsRef={"configMap": "kept", "key": "k"})))
    assert "  ✓ results     kept\n                em=0.5\n" in run("why", "qa-llama")[1]


def test_every_line_of_what_is_in_the_way_has_its_colour() -> None:
    name = "a" * 30 + "-" + "b" * 30
    job = evaljob(status=followed(jobId=name))
    facts = Facts(job=job)
    lines = list(
        why_lines(facts, chain_of(facts), now=datetime.now(UTC), style=Style(coloured=True), width=60)
    )
    start = next(place for place, line in enumerate(lines) if "Now at" in line)
    assert [line[:7] for line in lines[start : start + 2]] == ["\x1b[36;1m"] * 2
    assert "(Running)" in lines[start + 1]
