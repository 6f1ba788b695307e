"""What came of a call to the evaluator is recorded, also where the object is edited during the call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.kube import KubeUnavailable, ObjectKey, Outdated
from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.lifecycle.requests import Tenancy
from nemo_eval_operator.reconcile import BenchmarkReconciler, BenchmarkWaiters, SecretReader, outcomes
from nemo_eval_operator.resources import BENCHMARK_PLURAL, LabelSelector
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import EvaluatorResolver
from nemo_eval_operator.workqueue import RetryLater, WorkQueue
from tests.unit.reconcile.answers import (
    EVERY,
    KEY,
    REFUSED,
    SUBMISSION,
    Answer,
    Evaluator,
    Stage,
    answer,
    followed,
    manifest,
    on,
    remote,
)
from tests.unit.reconcile.objects_api import ObjectsApi
from tests.unit.reconcile.one_evaluator import one_evaluator


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "FIRST_PAUSE_SECONDS", 0.001)


def staged(
    strikes: Callable[[httpx.Request], bool],
    answered: Answer,
    *,
    edit: Callable[[dict[str, Any]], None] | None = None,
    job: dict[str, Any] | None = None,
    jobs: dict[str, dict[str, Any]] | None = None,
    acts: bool = False,
    settle: timedelta = timedelta(hours=1),
) -> Stage:
    """A job that is changed by `edit` at the moment at which the evaluator answers."""
    kube = ObjectsApi(job or manifest())

    def answer_during_an_edit() -> httpx.Response:
        if edit is not None:
            kube.edit(edit)
        return answered()

    evaluator = Evaluator(strikes, answer_during_an_edit, jobs=jobs or {}, acts=acts)
    return Stage(evaluator, kube, settle=settle)


def refusal_before(kube: ObjectsApi, failures: int) -> Answer:
    """A refusal, after which so many requests to Kubernetes fail."""

    def answered() -> httpx.Response:
        kube.fail_next(failures)
        return REFUSED["400"]()

    return answered


def annotate(document: dict[str, Any]) -> None:
    document["metadata"].setdefault("annotations", {})["team"] = "a"


def cancel(document: dict[str, Any]) -> None:
    document["spec"]["cancel"] = True
    document["metadata"]["generation"] += 1


def make_unreadable(document: dict[str, Any]) -> None:
    document["spec"]["model"] = 5
    document["metadata"]["generation"] += 1


EDITS = [annotate, cancel, make_unreadable]


@pytest.mark.parametrize("edit", EDITS)
async def test_a_refusal_during_an_edit_is_final(edit: Callable[[dict[str, Any]], None]) -> None:
    stage = staged(SUBMISSION, REFUSED["400"], edit=edit)
    await stage.look()

    assert (stage.reason, stage.ended(), stage.evaluator.posts()) == ("EvaluatorRejected", True, 1)
    assert stage.kube.events == ["EvaluatorRejected"]


@pytest.mark.parametrize("name", EVERY)
async def test_every_answer_to_a_submission_is_recorded_though_the_object_was_edited(name: str) -> None:
    quiet, edited = staged(SUBMISSION, EVERY[name]), staged(SUBMISSION, EVERY[name], edit=annotate)
    for stage in (quiet, edited):
        await stage.look()

    assert edited.reason == quiet.reason
    assert [call for call in edited.evaluator.requests if call != "GET "] == ["POST "]


async def test_the_id_of_a_job_that_was_created_during_an_edit_is_recorded_and_not_looked_for() -> None:
    stage = staged(SUBMISSION, answer(201, remote("created")), edit=annotate, acts=True)
    await stage.look()

    assert (stage.status["jobId"], stage.evaluator.requests) == ("eval-1", ["POST "])
    assert "adopted" not in stage.status


async def test_a_cancellation_during_the_submission_cancels_what_was_submitted() -> None:
    stage = staged(SUBMISSION, answer(201, remote("created")), edit=cancel, acts=True)
    await stage.look()

    assert (stage.reason, stage.evaluator.jobs["eval-1"]["status"]) == ("Cancelled", "cancelled")


async def test_an_object_that_is_deleted_while_its_submission_is_refused_goes_at_once() -> None:
    def delete(document: dict[str, Any]) -> None:
        document["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"

    stage = staged(SUBMISSION, REFUSED["400"], edit=delete)
    await stage.look()

    assert stage.gone()
    assert "LeftInEvaluator" not in stage.kube.events


async def test_an_answer_says_nothing_of_a_later_submission_by_another_operator() -> None:
    def submit_again(document: dict[str, Any]) -> None:
        """With the same nonce: the other operator was certain that nothing came of the first."""
        document["status"]["submission"]["time"] = "2026-03-01T12:00:00.000000Z"

    stage = staged(SUBMISSION, REFUSED["400"], edit=submit_again)
    with pytest.raises(Outdated):
        await stage.jobs.reconcile(KEY)

    assert (stage.ended(), stage.status["phase"]) == (False, "Submitting")


@pytest.mark.parametrize("failures", [1, 3])
async def test_an_answer_is_recorded_though_kubernetes_is_away_for_a_moment(failures: int) -> None:
    stage = staged(SUBMISSION, REFUSED["400"])
    stage.evaluator.answer = refusal_before(stage.kube, failures)
    await stage.look()

    assert (stage.reason, stage.evaluator.posts()) == ("EvaluatorRejected", 1)


async def test_an_outcome_is_left_to_the_next_look_where_kubernetes_stays_away() -> None:
    stage = staged(SUBMISSION, REFUSED["400"])
    stage.evaluator.answer = refusal_before(stage.kube, 1000)
    with pytest.raises(KubeUnavailable):
        await stage.jobs.reconcile(KEY)

    writes = [request for request in stage.kube.failed if request.startswith("PATCH")]
    assert len(writes) == outcomes.MAX_WRITES
    assert stage.status["phase"] == "Submitting"


@pytest.mark.parametrize(
    ("word", "reason"),
    [("failed", "EvaluationFailed"), ("cancelled", "Cancelled"), ("completed", "Completed")],
)
async def test_how_a_run_ended_is_recorded_by_the_look_that_learned_it(word: str, reason: str) -> None:
    job = manifest(followed("Cancelling"))
    ended = {"eval-1": remote(word)}
    stage = staged(on("GET", "/eval-1"), answer(200, ended["eval-1"]), edit=annotate, job=job, jobs=ended)
    await stage.look()

    assert (stage.reason, stage.ended()) == (reason, True)


async def test_results_are_fetched_once_though_the_object_was_edited() -> None:
    jobs = {"eval-1": remote("completed")}
    job = manifest(followed("Cancelling"))
    stage = staged(on("GET", "/results"), answer(503), edit=annotate, job=job, jobs=jobs)
    await stage.look()

    assert stage.reason == "ResultsUnavailable"
    assert stage.evaluator.requests.count("GET /eval-1/results") == 1


CONFIGS = "/v1/evaluation/configs"


class BenchmarkStage:
    """One benchmark, whose config the evaluator refuses; `edit` happens at that moment."""

    def __init__(self, edit: Callable[[dict[str, Any]], None]) -> None:
        meta = {"name": "qa", "namespace": "team-a", "uid": "u", "generation": 1, "finalizers": [FINALIZER]}
        self.kube = ObjectsApi({"metadata": meta, "spec": {"config": {"type": "gsm8k"}}, "status": {}})
        self.requests: list[str] = []
        self._edit = edit
        client = EvaluatorClient(
            httpx.AsyncClient(base_url="http://evaluator.test", transport=httpx.MockTransport(self._answer))
        )
        queue = WorkQueue()
        evaluators = one_evaluator(client, queue)
        self.benchmarks = BenchmarkReconciler(
            kube=self.kube.client,
            evaluators=evaluators,
            resolver=EvaluatorResolver(self.kube.client, evaluators),
            queue=queue,
            waiting=BenchmarkWaiters(),
            secrets=SecretReader(self.kube.client),
            metrics=Metrics(),
            selector=LabelSelector(),
            tenancy=Tenancy(),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.method)
        if request.method == "GET":
            return httpx.Response(404, json={"detail": "no such config"})
        self.kube.edit(self._edit)
        return httpx.Response(422, json={"detail": "tasks: Field required"})

    async def look(self) -> None:
        await self.benchmarks.reconcile(ObjectKey(BENCHMARK_PLURAL, "team-a", "qa"))

    @property
    def conditions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (self.kube.manifest or {})["status"].get("conditions", [])
        return found


async def test_the_refusal_of_a_config_is_recorded_though_the_benchmark_was_annotated() -> None:
    stage = BenchmarkStage(annotate)
    await stage.look()

    assert {condition["reason"] for condition in stage.conditions} == {"EvaluatorRejected"}
    assert stage.requests == ["GET", "POST"]


async def test_the_refusal_of_a_config_is_not_said_of_a_later_one() -> None:
    def mend(document: dict[str, Any]) -> None:
        document["metadata"]["generation"] += 1

    stage = BenchmarkStage(mend)
    with pytest.raises((Outdated, RetryLater)):
        await stage.look()

    assert stage.conditions == []
