"""How long a connection that is deleted stays, and for which objects."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.lifecycle.connection import Needs, hold_of, needs_of
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection
from tests.unit.lifecycle.objects import NOW, ago, benchmark, evaljob, stamp

URL = "http://main.test"
USED = {"evaluator": {"url": URL, "connection": "team-a/main"}}
RUNNING = {"attempt": 1, "jobId": "eval-1", **USED}


def connection(*allowed: str) -> NemoEvaluatorConnection:
    meta = {"name": "main", "namespace": "team-a", "uid": "u", "generation": 2}
    return NemoEvaluatorConnection.model_validate(
        {"metadata": meta, "spec": {"url": URL, "allowedNamespaces": [*allowed]}}
    )


def held(*, deleted: float | None = None, namespace: str = "team-a") -> dict[str, Any]:
    """metadata with the finalizer, of an object that was deleted so many seconds ago."""
    time = {} if deleted is None else {"deletionTimestamp": stamp(ago(deleted))}
    return {"finalizers": [FINALIZER], "namespace": namespace, **time}


def needs(*owners: NemoEvalJob | NemoBenchmark, deleted: datetime) -> Needs | None:
    one = connection("team-b")
    return needs_of(filter(None, (hold_of(one, owner, deleted) for owner in owners)), NOW)


def test_objects_in_the_evaluator_are_counted_and_their_longest_time_is_the_limit() -> None:
    job = evaljob(meta=held(deleted=20), status=RUNNING, cancelTimeoutSeconds=600)
    found = needs(job, benchmark(meta=held(), status=USED), deleted=ago(30))
    assert found is not None
    assert (found.jobs, found.benchmarks) == (1, 1)
    assert found.until == ago(20 - 600 - 10)
    assert "1 NemoEvalJob and 1 NemoBenchmark still need it" in found.message


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(evaljob(meta={"finalizers": []}, status=RUNNING), id="released"),
        pytest.param(evaljob(meta=held()), id="never submitted"),
        pytest.param(evaljob(meta=held(), status=RUNNING | {"evaluator": {"url": URL}}), id="elsewhere"),
        pytest.param(
            evaljob(
                meta=held(),
                status=RUNNING | {"evaluator": {"url": "http://old.test", "connection": "team-a/main"}},
            ),
            id="another URL",
        ),
        pytest.param(evaljob(meta=held(namespace="team-c"), status=RUNNING), id="not allowed"),
    ],
)
def test_what_has_nothing_there_does_not_hold_it(job: NemoEvalJob) -> None:
    assert needs(job, deleted=ago(1)) is None


def test_an_object_that_is_not_deleted_holds_it_for_a_minute() -> None:
    job = evaljob(meta=held(), status=RUNNING)
    assert needs(job, deleted=ago(59)) is not None
    assert needs(job, deleted=ago(61)) is None


def test_another_namespace_holds_it_for_a_minute_whatever_its_objects_say() -> None:
    job = evaljob(meta=held(deleted=50, namespace="team-b"), status=RUNNING, cancelTimeoutSeconds=3600)
    assert needs(job, deleted=ago(59)) is not None
    assert needs(job, deleted=ago(61)) is None


def test_objects_that_are_deleted_one_after_another_do_not_hold_it_without_end() -> None:
    late = evaljob(meta=held(deleted=1), status=RUNNING, cancelTimeoutSeconds=3600)
    assert needs(late, deleted=ago(62)) is None
