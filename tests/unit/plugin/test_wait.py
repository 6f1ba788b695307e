"""`kubectl nemoeval wait`: ends on success and on failure, with the exit code of what happened."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import Rejected
from nemo_eval_operator.lifecycle.job import end_status
from nemo_eval_operator.plugin import waiting
from nemo_eval_operator.plugin.main import run_command_line
from tests.unit.lifecycle.objects import NOW, condition, evaljob, finished, followed, intent, working
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_POLL_SECONDS", 0.001)
    monkeypatch.setattr(waiting, "MAX_POLL_SECONDS", 0.002)


def ended(
    *conditions: tuple[str, str], phase: str = "Succeeded", message: str = "what happened"
) -> dict[str, Any]:
    entries = [condition(kind, status, "Reason") for kind, status in conditions]
    return finished(phase=phase, message=message, conditions=entries)


READY = ("Ready", "True")
STALLED = ("Ready", "False"), ("Stalled", "True")
DONE = ("Complete", "True")


@pytest.mark.parametrize(
    ("status", "code", "line"),
    [
        (ended(READY, DONE), 0, "qa-llama: succeeded: what happened\n"),
        (ended(READY, DONE, ("GatePassed", "True")), 0, "qa-llama: passed: what happened\n"),
        (
            ended(READY, DONE, ("GatePassed", "Unknown")),
            0,
            "qa-llama: passed, as onInconclusive is Pass: what happened\n",
        ),
        (ended(*STALLED, ("Failed", "True"), phase="Failed"), 1, "qa-llama: failed: what happened\n"),
        (ended(*STALLED, ("Failed", "True"), phase="Cancelled"), 1, "qa-llama: cancelled: what happened\n"),
        (ended(*STALLED, DONE, ("GatePassed", "False")), 1, "qa-llama: gate failed: what happened\n"),
        (
            ended(*STALLED, DONE, ("GatePassed", "False"), message="the gate failed: qa/em: 0.2"),
            1,
            "qa-llama: gate failed: qa/em: 0.2\n",
        ),
        (ended(*STALLED, DONE, ("GatePassed", "Unknown")), 2, "qa-llama: gate inconclusive: what happened\n"),
        (ended(*STALLED, phase="Pending"), 1, "qa-llama: stalled: what happened\n"),
    ],
)
def test_each_end_of_a_run_has_its_exit_code(
    api: ClusterApi, run: Run, status: dict[str, Any], code: int, line: str
) -> None:
    api.put(JOBS, evaljob(status=status))
    advice = "qa-llama: next: kubectl nemoeval why qa-llama -n team-a\n" if code else ""
    assert run("wait", "qa-llama") == (code, line, advice)
    assert run("wait", "qa-llama", "-q") == (code, line, "")


def test_after_a_failed_gate_the_next_commands_compare_it_with_its_baseline(
    api: ClusterApi, run: Run
) -> None:
    used = {"name": "qa-old", "uid": "u", "attempt": 1, "choice": "c"}
    status = ended(*STALLED, DONE, ("GatePassed", "False"))
    status["gate"] = {"verdict": "Failed", "hash": "h", "baseline": used}
    api.put(JOBS, evaljob(status=status))
    assert run("wait", "qa-llama")[2].splitlines() == [
        "qa-llama: next: kubectl nemoeval compare qa-old qa-llama -n team-a",
        "qa-llama: next: kubectl nemoeval report qa-old qa-llama -o report.html -n team-a",
    ]


def test_a_run_that_its_user_cancelled_needs_no_explanation(api: ClusterApi, run: Run) -> None:
    status = ended(*STALLED, ("Failed", "True"), phase="Cancelled")
    api.put(JOBS, evaljob(status=status, cancel=True))
    assert run("wait", "qa-llama") == (1, "qa-llama: cancelled: what happened\n", "")


def test_the_cause_of_a_refusal_is_shown_without_the_commands_of_kubectl(api: ClusterApi, run: Run) -> None:
    error = Rejected("model 'nope' is not registered", status_code=422)
    refused = end_status.refused(evaljob(status=intent()), NOW, error)
    api.put(JOBS, evaljob(status=refused.to_manifest()))
    code, out, _ = run("wait", "qa-llama")
    assert (code, out) == (1, "qa-llama: failed: model 'nope' is not registered\n")


@pytest.mark.parametrize(
    ("meta", "status"),
    [
        ({}, {}),
        ({}, followed()),
        ({}, {"phase": "Pending", "observedGeneration": 1, "conditions": working("BackOff")}),
        ({}, {"observedGeneration": 1, "conditions": [condition("Suspended", "True", "Suspended")]}),
        ({"generation": 2}, ended(READY, DONE)),
        ({"annotations": {"evaluator.nemo.dev/rerun": "2"}}, ended(READY, DONE) | {"rerun": "1"}),
        (
            {},
            ended(("Ready", "False"), ("Reconciling", "True"), DONE, ("GatePassed", "Unknown")),
        ),
    ],
    ids=["new", "running", "back-off", "suspended", "stale status", "rerun requested", "gate pending"],
)
def test_a_run_that_goes_on_is_waited_for_until_the_time_out(
    api: ClusterApi, run: Run, meta: dict[str, Any], status: dict[str, Any]
) -> None:
    api.put(JOBS, evaljob(meta=meta, status=status))
    code, out, _ = run("wait", "qa-llama", "--timeout", "0.05")
    assert code == 3
    assert out.startswith("qa-llama: timed out: ")
    assert out.endswith("find out why with `kubectl nemoeval why qa-llama -n team-a`\n")


def test_changes_are_reported_once_each_and_the_end_ends_it(api: ClusterApi, run: Run) -> None:
    stages = {
        1: followed(),
        4: followed(progress={"percent": 40}),
        8: ended(READY, DONE),
    }
    api.put(JOBS, evaljob())

    def go_on(answers: int) -> None:
        if answers in stages:
            api.put(JOBS, evaljob(status=stages[answers]))

    api.after = go_on
    code, out, err = run("wait", "qa-llama")
    assert (code, out) == (0, "qa-llama: succeeded: what happened\n")
    assert err.splitlines() == [
        "qa-llama: not reconciled yet",
        "qa-llama: Running",
        "qa-llama: Running 40%",
    ]


RERUN_REQUESTED = {"annotations": {"evaluator.nemo.dev/rerun": "2"}}


def test_a_requested_rerun_is_waited_for_instead_of_the_former_outcome(api: ClusterApi, run: Run) -> None:
    failed = ended(*STALLED, ("Failed", "True"), phase="Failed", message="the first attempt") | {"attempt": 1}
    again = {"attempt": 2, "rerun": "2"}
    stages = {
        3: {"phase": "Pending", "observedGeneration": 1, "conditions": working("Rerun")} | again,
        6: followed() | again,
        9: ended(READY, DONE) | again,
    }
    api.put(JOBS, evaljob(meta=RERUN_REQUESTED, status=failed))

    def go_on(answers: int) -> None:
        if answers in stages:
            api.put(JOBS, evaljob(meta=RERUN_REQUESTED, status=stages[answers]))

    api.after = go_on
    code, out, err = run("wait", "qa-llama")
    assert (code, out) == (0, "qa-llama: succeeded: what happened\n")
    assert err.splitlines() == [
        "qa-llama: Rerun requested (attempt 2 has not started yet)",
        "qa-llama: Pending (Rerun)",
        "qa-llama: Running",
    ]


@pytest.mark.parametrize(
    ("status", "spec"),
    [
        (ended(*STALLED, phase="Pending") | {"completionTime": None, "jobId": None}, {}),
        (ended(*STALLED, ("Failed", "True"), phase="Cancelled"), {"cancel": True}),
    ],
    ids=["never submitted", "cancelled by its user"],
)
def test_a_rerun_that_the_operator_does_not_start_is_not_waited_for(
    api: ClusterApi, run: Run, status: dict[str, Any], spec: dict[str, Any]
) -> None:
    api.put(JOBS, evaljob(meta=RERUN_REQUESTED, status=status, **spec))
    assert run("wait", "qa-llama", "--timeout", "30")[0] == 1


def test_a_run_that_does_not_exist_or_is_deleted_ends_it(api: ClusterApi, run: Run) -> None:
    code, out, _ = run("wait", "qa-llama")
    assert code == 4
    assert out.startswith("qa-llama: error: was not found in namespace team-a; list those that exist with ")

    api.put(JOBS, evaljob(status=followed()))
    api.after = lambda _: api.objects.clear()
    assert run("wait", "qa-llama", "-q")[0] == 4


def test_a_missing_right_is_named(api: ClusterApi, run: Run) -> None:
    api.forbidden.add(JOBS)
    code, out, _ = run("wait", "qa-llama")
    assert code == 4
    assert out == (
        "qa-llama: error: jane may not get nemoevaljobs.evaluator.nemo.dev in namespace team-a: "
        "ask for a Role with the verb get on nemoevaljobs.evaluator.nemo.dev\n"
    )


def test_of_several_runs_each_has_a_line_and_a_failure_decides(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, evaljob(meta={"name": "good"}, status=ended(READY, DONE)))
    api.put(JOBS, evaljob(meta={"name": "unclear"}, status=ended(*STALLED, DONE, ("GatePassed", "Unknown"))))
    assert run("wait", "good", "unclear")[0] == 2
    api.put(JOBS, evaljob(meta={"name": "bad"}, status=ended(*STALLED, ("Failed", "True"), phase="Failed")))
    code, out, _ = run("wait", "good", "unclear", "bad", "good")
    assert code == 1
    assert sorted(line.partition(":")[0] for line in out.splitlines()) == ["bad", "good", "unclear"]


@pytest.mark.parametrize("words", [("wait",), ("wait", "x", "--timeout", "soon"), ("wait", "x", "--nope")])
def test_a_wrong_command_line_does_not_look_like_an_inconclusive_gate(
    run: Run, words: tuple[str, ...]
) -> None:
    assert run(*words)[0] == 64


def test_text_of_an_evaluator_cannot_control_the_terminal(api: ClusterApi, run: Run) -> None:
    status = ended(*STALLED, ("Failed", "True"), phase="Failed") | {"message": "\x1b[2J\nfake: passed"}
    api.put(JOBS, evaljob(status=status))
    _, out, _ = run("wait", "qa-llama")
    assert "\x1b" not in out
    assert out.count("\n") == 1


def test_a_kubeconfig_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    assert run_command_line(["wait", "qa-llama"]) == 5
    err = capsys.readouterr().err
    assert err.startswith("error: no access to a cluster: ")
    assert " (/nowhere/config does not exist). Set --kubeconfig" in err
