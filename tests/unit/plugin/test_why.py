"""`kubectl nemoeval why`: the chain from connection to gate, and the first link in the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nemo_eval_operator.lifecycle.reason_reference import JOB_ENTRIES
from nemo_eval_operator.plugin.links import Facts, State, chain_of
from nemo_eval_operator.plugin.places import PLACES, Place
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import NemoEvaluatorConnection
from tests.unit.lifecycle.objects import UID, benchmark, condition, evaljob, finished, followed, working
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

SPEC_REASONS = {
    *("InvalidSpec", "ObjectTooLarge", "FinalizerRefused", "InvalidDataset", "HostNotAllowed"),
    *("ConfigMapNotFound", "SecretNotFound", "SecretNotAllowed", "SecretTooLarge", "InternalError"),
    *("PlainTextSecret", "UnknownField"),
}
"""Reasons of a job's spec and of what it refers to."""


def connection(*conditions: dict[str, Any], **status: Any) -> NemoEvaluatorConnection:
    return NemoEvaluatorConnection.model_validate(
        {
            "metadata": {"name": "prod", "namespace": "team-a", "uid": "uid-of-prod", "generation": 1},
            "spec": {"url": "http://evaluator.test", "default": True},
            "status": {"observedGeneration": 1, "conditions": [*conditions], **status},
        }
    )


REACHABLE = condition("Ready", "True", "Reachable")
READY = {"observedGeneration": 1, "conditions": [condition("Ready", "True", "ConfigReady")]}
STALLED = ("Ready", "False"), ("Stalled", "True")


def waiting(reason: str, **status: Any) -> dict[str, Any]:
    return {"observedGeneration": 1, "phase": "Pending", "conditions": working(reason), **status}


def stalled(reason: str, *more: tuple[str, str], **status: Any) -> dict[str, Any]:
    conditions = [condition(kind, value, reason) for kind, value in (*STALLED, *more)]
    return {"observedGeneration": 1, "conditions": conditions, **status}


def test_every_reason_of_a_job_has_its_link() -> None:
    assert {entry.reason.value for entry in JOB_ENTRIES} - PLACES.keys() <= SPEC_REASONS


GATED = {"gate": {"criteria": [{"score": "em", "minimum": 0.5}]}}


@pytest.mark.parametrize(
    ("status", "place", "state"),
    [
        ({}, Place.SPEC, State.WAITING),
        (stalled("InvalidSpec"), Place.SPEC, State.BLOCKED),
        (waiting("EvaluatorUnreachable"), Place.CONNECTION, State.WAITING),
        (stalled("ConnectionNotAllowed"), Place.CONNECTION, State.BLOCKED),
        (waiting("BenchmarkNotFound"), Place.BENCHMARK, State.WAITING),
        (waiting("Queued", queuePosition=3), Place.QUEUE, State.ACTIVE),
        (waiting("QueuedInEvaluator"), Place.REMOTE_JOB, State.ACTIVE),
        (followed(), Place.REMOTE_JOB, State.ACTIVE),
        (stalled("EvaluationFailed", ("Failed", "True"), phase="Failed"), Place.REMOTE_JOB, State.BLOCKED),
        (stalled("ResultsNotKept"), Place.RESULTS, State.BLOCKED),
        (
            stalled("GateFailed", ("GatePassed", "False"), ("Complete", "True")),
            Place.GATE,
            State.BLOCKED,
        ),
    ],
)
def test_the_link_that_the_jobs_reason_is_about_is_in_the_way(
    status: dict[str, Any], place: Place, state: State
) -> None:
    chain = chain_of(Facts(job=evaljob(status=status, **GATED), benchmark=benchmark(status=READY)))
    assert chain.in_the_way is not None
    assert (chain.in_the_way.place, chain.in_the_way.state) == (place, state)
    places = [link.place for link in chain.links]
    behind = {link.state for link in chain.links[: places.index(place)]}
    ahead = {link.state for link in chain.links[places.index(place) + 1 :]}
    assert behind <= {State.PASSED}
    assert ahead <= {State.AHEAD}


def test_a_benchmark_that_waits_for_its_connection_is_not_the_first_one() -> None:
    facts = Facts(
        job=evaljob(status=waiting("BenchmarkNotReady")),
        benchmark=benchmark(status=waiting("EvaluatorUnreachable")),
        connection=connection(*stalled("TLSError")["conditions"]),
        connection_name="team-a/prod",
    )
    found = chain_of(facts).in_the_way
    assert found is not None
    assert (found.place, found.reason, found.state) == (Place.CONNECTION, "TLSError", State.BLOCKED)
    assert found.action


def test_a_connection_that_is_down_today_is_not_why_a_run_failed_yesterday() -> None:
    failed = stalled("EvaluationFailed", ("Failed", "True"), phase="Failed")
    down = connection(*working("ConnectionRefused"))
    found = chain_of(Facts(job=evaljob(status=failed), connection=down)).in_the_way
    assert found is not None
    assert found.place is Place.REMOTE_JOB


def test_nothing_is_in_the_way_of_a_run_that_succeeded() -> None:
    chain = chain_of(Facts(job=evaljob(status=finished()), connection=connection(*working("TimedOut"))))
    assert chain.in_the_way is None
    assert {link.state for link in chain.links} == {State.PASSED}


@pytest.mark.parametrize("reason", [entry.reason for entry in JOB_ENTRIES])
def test_every_reason_can_be_shown(api: ClusterApi, run: Run, reason: Reason) -> None:
    api.put("nemoevaljobs", evaljob(status=waiting(reason.value)))
    code, out, err = run("why", "qa-llama")
    assert (code, err) == (0, "")
    assert "\nWhat to do: " in out


def event(uid: str, reason: str, message: str = "what happened") -> dict[str, Any]:
    return {
        "involvedObject": {"uid": uid},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": 3,
        "lastTimestamp": "2026-03-01T12:00:00Z",
    }


def test_one_screen_has_the_links_conditions_events_and_what_to_do(api: ClusterApi, run: Run) -> None:
    api.put("nemoevaljobs", evaljob(status=waiting("BenchmarkNotReady")))
    api.put("nemobenchmarks", benchmark(meta={"uid": "uid-of-qa"}, status=stalled("InvalidDataset")))
    api.put("nemoevaluatorconnections", connection(REACHABLE, jobsRunning=2, jobsWaiting=5))
    api.events = [event("uid-of-qa", "InvalidDataset", "line 3: \x1b[31mnot JSON"), event(UID, "Rerun")]

    code, out, _ = run("why", "qa-llama")

    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("NemoEvalJob team-a/qa-llama: Pending (BenchmarkNotReady) for ")
    assert lines[2:5] == [
        "  ✓ spec",
        "  ✓ connection  team-a/prod",
        "  ✗ benchmark   qa  InvalidDataset",
    ]
    assert "Warning InvalidDataset (x3): line 3:" in lines[5]
    assert "  · queue       2 running, 5 waiting" in lines
    assert "\nIn the way: benchmark qa (InvalidDataset)\n  as before\n  The rows of a configMapRef" in out
    assert "\n  Ready=False Stalled=True\nWhat to do: Correct the line that the message names" in out
    assert "\x1b" not in out
    assert len(lines) < 24


@pytest.mark.parametrize(
    ("resource", "shown"),
    [
        ("nemobenchmarks", "jane may not get nemobenchmarks.evaluator.nemo.dev in namespace team-a"),
        ("nemoevaluatorconnections", "jane may not get nemoevaluatorconnections.evaluator.nemo.dev"),
        ("events", "Events are not shown: jane may not get events in namespace team-a"),
    ],
)
def test_what_rbac_forbids_is_left_out_and_named(
    api: ClusterApi, run: Run, resource: str, shown: str
) -> None:
    api.put("nemoevaljobs", evaljob(status=waiting("Queued")))
    api.put("nemobenchmarks", benchmark(meta={"uid": "uid-of-qa"}, status=READY))
    api.forbidden.add(resource)
    code, out, _ = run("why", "qa-llama")
    assert code == 0
    assert shown in " ".join(out.split())
    assert "Now at: queue" in out


def test_without_the_right_to_read_the_run_that_right_is_named(api: ClusterApi, run: Run) -> None:
    api.forbidden.add("nemoevaljobs")
    code, _, err = run("why", "qa-llama")
    assert code == 4
    assert err.startswith("error: jane may not get nemoevaljobs.evaluator.nemo.dev in namespace team-a: ask ")
    assert err.count("\n") == 1


def test_the_heading_counts_from_the_last_change(api: ClusterApi, run: Run) -> None:
    """Ready was False from the start; the gate failed later."""
    status = stalled("GateFailed", ("GatePassed", "False"), ("Complete", "True"), phase="Succeeded")
    hours = (5, 1, 1, 1)
    for one, hour in zip(status["conditions"], hours, strict=True):
        one["lastTransitionTime"] = (datetime.now(UTC) - timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")
    api.put("nemoevaljobs", evaljob(status=status, **GATED))
    assert (
        run("why", "qa-llama")[1]
        .splitlines()[0]
        .startswith("NemoEvalJob team-a/qa-llama: gate failed for 1h")
    )
