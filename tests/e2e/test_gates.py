"""spec.gate on live objects: verdicts, baselines, changed gates, and what must never pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.scenario import JOB, Scenario, data_benchmark, data_job, eventually

SCORE = "rows/exact/string-check"
MANY = [
    {"question": f"{number}?", "answer": "yes", "output": "yes" if number % 4 else "no"}
    for number in range(400)
]
"""Three of four are right, and 400 pairs show that no more than 2 points were lost."""


def gated(
    name: str, *criteria: dict[str, Any], rows: list[dict[str, str]] = MANY, **gate: Any
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "target": {"type": "rows", "rows": rows},
        "gate": {"criteria": [*criteria], **gate},
    }
    return data_job(name, **spec)


def ungated(name: str, rows: list[dict[str, str]] = MANY) -> dict[str, Any]:
    return data_job(name, target={"type": "rows", "rows": rows})


def floor(minimum: float) -> dict[str, Any]:
    return {"score": SCORE, "minimum": minimum}


def drop(allowed: float = 0.02) -> dict[str, Any]:
    return {"score": SCORE, "maxDrop": allowed}


def named(name: str) -> dict[str, Any]:
    return {"jobRef": {"name": name}}


def labelled(manifest: dict[str, Any], series: str = "nightly") -> dict[str, Any]:
    return manifest | {"metadata": {**manifest["metadata"], "labels": {"series": series}}}


def selected(series: str = "nightly", **more: Any) -> dict[str, Any]:
    return {"selector": {"matchLabels": {"series": series}}, **more}


def judged(scenario: Scenario, name: str, *verdicts: str) -> dict[str, Any]:
    """The status of a job whose gate has one of these verdicts, or any that is not Pending."""

    def reached() -> dict[str, Any] | None:
        status = scenario.status(JOB, name)
        verdict = status.get("gate", {}).get("verdict")
        return status if verdict and verdict != "Pending" and verdict in (verdicts or (verdict,)) else None

    return eventually(reached, f"a verdict {verdicts} on {name}")


def inconclusive(scenario: Scenario, name: str) -> tuple[str, str]:
    """Reason and message of the one criterion of a job that must not pass."""
    status = judged(scenario, name)
    assert status["gate"]["verdict"] == "Inconclusive"
    assert scenario.conditions(JOB, name) == {
        "Ready": "False",
        "Stalled": "True",
        "GatePassed": "Unknown",
        "Complete": "True",
    }
    (criterion,) = status["gate"]["criteria"]
    return criterion["reason"], criterion["message"]


def test_a_run_above_its_floor_is_ready(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(), gated("good", floor(0.7)))

    status = judged(scenario, "good")

    assert status["gate"]["verdict"] == "Passed"
    assert scenario.conditions(JOB, "good") == {"Ready": "True", "GatePassed": "True", "Complete": "True"}
    assert "the gate passed: rows/exact/string-check: 0.75, minimum 0.7" in status["message"]
    assert scenario.event("good", "GatePassed")["message"] == status["message"]
    complete = next(one for one in status["conditions"] if one["type"] == "Complete")
    assert complete["reason"] == "Completed"
    assert "Passed" in scenario.kubectl("get", "nejob", "good", "--no-headers").split()


def test_a_changed_gate_is_judged_again_and_runs_nothing(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(), gated("bad", floor(0.8)))
    before = judged(scenario, "bad")
    assert scenario.conditions(JOB, "bad") == {
        "Ready": "False",
        "Stalled": "True",
        "GatePassed": "False",
        "Complete": "True",
    }
    assert "GateFailed" in scenario.event("bad", "GateFailed")["reason"]

    scenario.patch(JOB, "bad", {"spec": {"gate": {"criteria": [floor(0.5)]}}})
    assert judged(scenario, "bad", "Passed")["observedGeneration"] == 2
    scenario.patch(JOB, "bad", {"spec": {"gate": {"criteria": [floor(0.8)]}}})
    after = judged(scenario, "bad", "Failed")

    assert after["gate"] == before["gate"]
    assert after["message"] == before["message"]
    assert len(scenario.remote_jobs("bad")) == 1
    scenario.patch(JOB, "bad", {"spec": {"gate": None}})
    eventually(lambda: scenario.conditions(JOB, "bad").get("Ready") == "True", "ready without a gate")
    assert "gate" not in scenario.status(JOB, "bad")


def test_a_baseline_that_runs_is_waited_for_and_may_then_be_deleted(scenario: Scenario) -> None:
    prod = ungated("prod")
    prod["spec"]["suspend"] = True
    scenario.apply(data_benchmark(), prod, gated("next", drop(), baseline=named("prod")))
    waiting = scenario.until_reason(JOB, "next", "WaitingForBaseline")
    assert waiting["gate"]["verdict"] == "Pending"
    assert scenario.conditions(JOB, "next")["Reconciling"] == "True"

    scenario.patch(JOB, "prod", {"spec": {"suspend": False}})
    status = judged(scenario, "next")

    assert status["gate"]["verdict"] == "Passed", status
    baseline = status["gate"]["baseline"]
    found = scenario.get(JOB, "prod")
    assert found is not None
    assert (baseline["name"], baseline["uid"], baseline["attempt"]) == ("prod", found["metadata"]["uid"], 1)
    assert (status["gate"]["evidence"], status["gate"]["criteria"][0]["items"]) == ("Paired", 400)

    scenario.kubectl("delete", "nejob", "prod", "--wait")
    scenario.patch(JOB, "next", {"spec": {"gate": {"criteria": [drop(0.001)]}}})
    again = judged(scenario, "next", "Inconclusive")
    assert again["gate"]["baseline"] == baseline
    assert "items would decide" in again["message"]


def test_a_baseline_deleted_while_it_is_waited_for_is_never_a_pass(scenario: Scenario) -> None:
    prod = ungated("prod")
    prod["spec"]["suspend"] = True
    scenario.apply(data_benchmark(), prod, gated("next", drop(), baseline=named("prod")))
    scenario.until_reason(JOB, "next", "WaitingForBaseline")

    scenario.kubectl("delete", "nejob", "prod", "--wait")

    reason, message = inconclusive(scenario, "next")
    assert reason == "BaselineNotFound"
    assert "prod" in message


def test_the_newest_that_passed_is_selected(scenario: Scenario) -> None:
    gate: dict[str, Any] = {"baseline": selected(), "ifNoBaseline": "Skip"}
    scenario.apply(data_benchmark(), labelled(gated("one", drop(), floor2(0.5), **gate)))
    first = judged(scenario, "one")
    assert first["gate"]["verdict"] == "Passed"
    assert "baseline" not in first["gate"]
    after_a_second(scenario, "one")
    scenario.apply(labelled(gated("two", drop(), floor2(0.99), **gate)))
    assert judged(scenario, "two")["gate"]["verdict"] == "Failed"
    after_a_second(scenario, "two")

    scenario.apply(labelled(gated("three", drop(), **gate)))
    scenario.apply(labelled(gated("four", drop(), baseline=selected("absent"))))

    assert judged(scenario, "three")["gate"]["baseline"]["name"] == "one"
    assert inconclusive(scenario, "four")[0] == "BaselineNotFound"


def floor2(minimum: float) -> dict[str, Any]:
    """A floor by another name of the same score."""
    return {"score": "exact", "minimum": minimum}


def after_a_second(scenario: Scenario, name: str) -> None:
    """Times of completion are whole seconds, and a baseline completed before."""
    completed = scenario.status(JOB, name)["completionTime"]
    eventually(
        lambda: scenario.kubectl("get", "--raw", "/version") and _now(scenario) > completed, "the next second"
    )


def _now(scenario: Scenario) -> str:
    """The API server's time, as it would stamp an object."""
    made = scenario.kubectl("create", "configmap", "clock", "-o", "jsonpath={.metadata.creationTimestamp}")
    scenario.kubectl("delete", "configmap", "clock")
    return made


FEW = MANY[:40]


@pytest.mark.parametrize(
    ("baseline", "reason", "cause"),
    [
        pytest.param({"rows": FEW}, "ItemsDiffer", "items are in both runs", id="other items"),
        pytest.param(
            {"of": "other"}, "BenchmarkDiffers", "params.parallelism: 3 and not set", id="another benchmark"
        ),
        pytest.param({"cancel": True}, "BaselineNotCompleted", "before has no results", id="never passed"),
    ],
)
def test_a_baseline_that_measured_something_else_is_never_a_pass(
    scenario: Scenario, baseline: dict[str, Any], reason: str, cause: str
) -> None:
    rows = baseline.pop("rows", MANY)
    before = data_job("before", target={"type": "rows", "rows": rows}, **baseline)
    other = data_benchmark("other")
    other["spec"]["config"]["params"] = {"parallelism": 3}
    scenario.apply(data_benchmark(), other, before)
    scenario.apply(gated("after", drop(), baseline=named("before")))

    found, message = inconclusive(scenario, "after")
    assert found == reason
    assert cause in message


BLANK = [*FEW, *({"question": f"{number}?", "answer": "yes"} for number in range(40))]
"""Half of them have no output."""


@pytest.mark.parametrize(
    ("criterion", "rows", "reason"),
    [
        pytest.param({"score": "nothing", "minimum": 0}, MANY, "ScoreMissing", id="a score is missing"),
        pytest.param({"score": SCORE, "minimum": 0}, BLANK, "TooManyNaN", id="half of it NaN"),
    ],
)
def test_a_run_without_the_score_is_never_a_pass(
    scenario: Scenario, criterion: dict[str, Any], rows: list[dict[str, str]], reason: str
) -> None:
    scenario.apply(data_benchmark(), gated("blank", criterion, rows=rows))

    assert inconclusive(scenario, "blank")[0] == reason


@pytest.mark.parametrize("deleted", [True, False])
def test_evidence_that_was_tampered_with_is_never_a_pass(scenario: Scenario, deleted: bool) -> None:
    scenario.apply(data_benchmark(), ungated("run"))
    scenario.until_phase("run", "Succeeded")
    name = scenario.status(JOB, "run")["evidenceRef"]["configMap"]
    found = json.loads(scenario.kubectl("get", "configmap", name, "-o", "json"))
    scenario.kubectl("delete", "configmap", name)
    if not deleted:
        found["data"]["evidence.json"] = found["data"]["evidence.json"].replace("0.75", "0.95")
        found["metadata"] = {"name": name}
        scenario.apply(found)

    scenario.patch(JOB, "run", {"spec": {"gate": {"criteria": [floor(0.1)], "onInconclusive": "Pass"}}})

    assert inconclusive(scenario, "run")[0] == ("EvidenceMissing" if deleted else "EvidenceUnreadable")


def test_an_inconclusive_gate_that_lets_pass_says_so(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(), ungated("before"))
    gate: dict[str, Any] = {"baseline": named("before"), "onInconclusive": "Pass"}
    scenario.apply(gated("after", drop(0.001), **gate))

    status = judged(scenario, "after")

    assert status["gate"]["verdict"] == "Inconclusive"
    assert scenario.conditions(JOB, "after") == {"Ready": "True", "GatePassed": "Unknown", "Complete": "True"}
    assert "which spec.gate.onInconclusive lets pass" in status["message"]
