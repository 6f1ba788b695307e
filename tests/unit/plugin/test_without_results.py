"""`kubectl nemoeval results`, `rows` and `compare` of runs that have not ended, or ended without results."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lifecycle.objects import condition, evaljob, finished, followed, working
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run
from tests.unit.plugin.reported import answers, put_run

JOBS = "nemoevaljobs"

COMMANDS = [("results", "qa-llama"), ("rows", "qa-llama"), ("compare", "old", "qa-llama")]


def ended(phase: str, *kinds: str, message: str = "model x is not registered") -> dict[str, Any]:
    conditions = [condition("Ready", "False", "Reason")]
    conditions += [condition(kind, "True", "Reason") for kind in ("Stalled", *kinds)]
    return finished(phase=phase, message=message, conditions=conditions)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("status", "problem", "advice"),
    [
        (followed(progress={"percent": 40}), "has not ended yet: Running 40%", "Wait for it with wait"),
        ({}, "has not ended yet: not reconciled yet", "Wait for it with wait"),
        (
            {"observedGeneration": 1, "phase": "Suspended", "conditions": working("Suspended")},
            "has not ended yet: Suspended",
            "Resume it with resume",
        ),
        (
            ended("Failed", "Failed"),
            "failed and has no results: model x is not registered",
            "Find out more with why",
        ),
        (
            ended("Cancelled", "Failed", message=""),
            "was cancelled and has no results",
            "Find out more with why",
        ),
        (
            ended("Pending"),
            "is stalled and has no results: model x is not registered",
            "Find out more with why",
        ),
    ],
)
def test_a_run_without_results_says_how_it_stands_and_what_to_do(
    api: ClusterApi, run: Run, command: tuple[str, ...], status: dict[str, Any], problem: str, advice: str
) -> None:
    put_run(api, "old", answers([1.0] * 9))
    api.put(JOBS, evaljob(status=status))

    words, _, verb = advice.rpartition(" ")
    advised = f"{words} `kubectl nemoeval {verb} qa-llama -n team-a`"
    assert run(*command) == (1, "", f"error: qa-llama {problem}. {advised}\n")


@pytest.mark.parametrize(
    "command", [*COMMANDS, ("export", "mlflow", "qa-llama", "--tracking-uri", "https://m")]
)
@pytest.mark.parametrize(
    ("meta", "problem"),
    [
        (
            {"annotations": {"evaluator.nemo.dev/rerun": "2"}},
            "is to run again: attempt 3 is requested and has not started yet",
        ),
        ({"generation": 2}, "was changed after it had ended, which the operator has not seen yet"),
    ],
)
def test_an_ended_run_whose_latest_request_was_not_seen_is_not_said_to_be_failed(
    api: ClusterApi, run: Run, command: tuple[str, ...], meta: dict[str, Any], problem: str
) -> None:
    put_run(api, "old", answers([1.0] * 9))
    api.put(JOBS, evaljob(meta=meta, status=ended("Failed", "Failed") | {"attempt": 2, "rerun": "1"}))

    code, out, err = run(*command)

    assert (code, out) == (1, "")
    assert err.startswith(
        f"error: qa-llama {problem}. Wait for it with `kubectl nemoeval wait qa-llama -n team-a`"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_succeeded_without_scores_says_what_its_status_says(
    api: ClusterApi, run: Run, command: tuple[str, ...]
) -> None:
    put_run(api, "old", answers([1.0] * 9))
    api.put(JOBS, evaljob(status=finished(message="no scores")))

    code, out, err = run(*command)

    assert (code, out) == (4, "")
    assert err.startswith("error: qa-llama has no results: no scores. Find out more with ")
