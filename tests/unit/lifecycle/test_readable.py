"""What is read of an object that cannot be read whole: enough to find what it has in the evaluator."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from nemo_eval_operator.lifecycle import read_benchmark, read_job
from nemo_eval_operator.lifecycle.benchmark import is_used_by
from nemo_eval_operator.lifecycle.job import RemoteGone, decide_job
from nemo_eval_operator.lifecycle.steps import RequeueAfter
from tests.unit.lifecycle.objects import HELD, UID, facts, finished, followed

META = {"name": "qa", "namespace": "team-a", "uid": UID} | HELD
JOB: dict[str, Any] = {"apiVersion": "evaluator.nemo.dev/v1alpha1", "kind": "NemoEvalJob", "metadata": META}
BENCHMARK: dict[str, Any] = {
    "apiVersion": "evaluator.nemo.dev/v1alpha1",
    "kind": "NemoBenchmark",
    "metadata": META,
}

READABLE: dict[str, Any] = {"benchmarkRef": {"name": "qa"}, "model": "m"}
UNREADABLE: dict[str, Any] = {"target": {"type": "model", "model": 5}}


def test_a_readable_job_is_read_whole() -> None:
    job, problem = read_job({**JOB, "spec": READABLE, "status": followed()})
    assert problem is None
    assert (job.spec.model, job.status.job_id) == ("m", "eval-1")


def test_an_unreadable_spec_leaves_how_to_let_the_job_go() -> None:
    spec = UNREADABLE | {"deletionPolicy": "Delete", "cancelTimeoutSeconds": 7}
    job, problem = read_job({**JOB, "spec": spec, "status": followed()})
    assert problem is not None
    assert (job.spec.deletion_policy, job.spec.cancel_timeout_seconds) == ("Delete", 7)
    assert (job.status.job_id, job.metadata.finalizers) == ("eval-1", HELD["finalizers"])


def test_the_benchmark_of_a_run_whose_spec_is_unreadable_is_in_use() -> None:
    job, problem = read_job({**JOB, "spec": READABLE | UNREADABLE, "status": followed()})
    used, _ = read_benchmark({**BENCHMARK, "spec": {"config": {"type": "gsm8k"}}})
    assert problem is not None
    assert is_used_by(used, job)


@pytest.mark.parametrize("spec", [UNREADABLE | {"deletionPolicy": "Burn"}, "text", None, {"suspend": []}])
def test_what_makes_no_sense_there_either_is_the_default(spec: Any) -> None:
    job, problem = read_job({**JOB, "spec": spec})
    assert problem is not None
    assert (job.spec.deletion_policy, job.spec.cancel_timeout_seconds) == ("Cancel", 60)


def test_of_an_unreadable_status_the_remote_job_is_remembered() -> None:
    status = followed(phase="Elsewhere", progress="half", attempt=2)
    job, problem = read_job({**JOB, "spec": READABLE, "status": status})
    assert problem is None
    assert (job.status.job_id, job.status.attempt, job.status.phase) == ("eval-1", 2, None)
    assert job.status.submission is not None


def test_a_run_of_a_newer_version_has_ended_whatever_its_phase_and_verdict_are_called() -> None:
    document = JOB | {"metadata": META | {"finalizers": [], "generation": 1}, "spec": READABLE}
    gate = {"verdict": "Waived", "hash": "h"}
    job, problem = read_job(document | {"status": finished(phase="Judged", gate=gate)})
    assert problem is None
    assert job.status.conditions != []
    assert decide_job(job, facts(remote=RemoteGone())) == RequeueAfter()


@pytest.mark.parametrize("status", ["text", [], {"jobId": 5, "attempt": "first", "phase": 1}])
def test_a_status_of_which_nothing_makes_sense_is_lost(status: Any) -> None:
    job, _ = read_job({**JOB, "spec": READABLE, "status": status})
    assert job.status.to_manifest() == {"conditions": []}


@pytest.mark.parametrize(
    ("status", "config"),
    [
        ({"config": "elsewhere/its-name"}, ("elsewhere", "its-name")),
        ({"config": 5}, (None, None)),
        (None, (None, None)),
    ],
)
def test_an_unreadable_benchmark_is_known_by_the_config_that_status_names(
    status: Any, config: tuple[str | None, str | None]
) -> None:
    document: dict[str, Any] = {**BENCHMARK, "spec": {"config": "text", "deletionPolicy": "Orphan"}}
    benchmark, problem = read_benchmark(document if status is None else document | {"status": status})
    assert problem is not None
    assert benchmark.spec.deletion_policy == "Orphan"
    assert (benchmark.spec.config.namespace, benchmark.spec.config.name) == config


def test_a_readable_benchmark_is_read_whole() -> None:
    benchmark, problem = read_benchmark({**BENCHMARK, "spec": {"config": {"type": "gsm8k"}}})
    assert problem is None
    assert benchmark.spec.config.type == "gsm8k"


def test_without_metadata_there_is_nothing_to_act_on() -> None:
    with pytest.raises(ValidationError):
        read_job({**JOB, "metadata": {}, "spec": READABLE})
