"""Results reach a ConfigMap whatever stands in the way at first, and no secret reaches it with them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.model import Results
from nemo_eval_operator.kept_evidence import load_evidence
from nemo_eval_operator.kube import KubeUnavailable
from nemo_eval_operator.lifecycle.job import Stored, config_map_names, results_document
from nemo_eval_operator.reconcile.job.evidence import EvidenceStore
from nemo_eval_operator.reconcile.job.results import (
    MAX_TOGETHER_BYTES,
    MAX_TRIES,
    ResultsKeeper,
    ResultsNotKept,
)
from nemo_eval_operator.reconcile.secrets import SecretReader
from nemo_eval_operator.resources import NemoEvalJob
from nemo_eval_operator.workqueue import ObjectStates
from tests.unit.evaluator.scripted import Scripted, answering, answering_raw
from tests.unit.lifecycle.objects import EM, UID, evaljob, followed
from tests.unit.reconcile.api_server import CONFIG_MAPS, ApiServer

URL = "http://evaluator.test:7331/v1/evaluation/jobs/eval-1/results"
WHOLE: dict[str, Any] = {"job": "eval-1", "tasks": EM, "groups": {}, "anything": [1, None]}

JOB = evaljob(status=followed())


class Keeper:
    """Keeps what one evaluator answers."""

    def __init__(self, server: ApiServer, evaluator: Scripted) -> None:
        self._client = evaluator.client
        store = EvidenceStore(server.client)
        self._keeper = ResultsKeeper(server.client, SecretReader(server.client), ObjectStates(), store)

    async def collect(self, job: NemoEvalJob, job_id: str) -> Stored:
        return await self._keeper.collect(self._client, job, job_id)


def keeper(server: ApiServer, evaluator: Scripted) -> Keeper:
    return Keeper(server, evaluator)


async def problem_of(results: Keeper, job: NemoEvalJob = JOB) -> ResultsNotKept:
    with pytest.raises(ResultsNotKept) as caught:
        await results.collect(job, "eval-1")
    return caught.value


async def test_results_are_kept_in_full_and_say_where_they_are_from() -> None:
    server = ApiServer()
    stored = await keeper(server, answering(200, WHOLE)).collect(JOB, "eval-1")
    assert (stored.config_map, stored.key, stored.url, stored.truncated) == (
        "qa-llama-results",
        "results.json",
        URL,
        False,
    )
    kept = server.config_map("qa-llama-results")
    assert json.loads(kept["data"]["results.json"]) == WHOLE
    assert kept["immutable"] is True
    meta = kept["metadata"]
    assert meta["labels"] == {"evaluator.nemo.dev/job": "qa-llama"}
    assert meta["annotations"] == {
        "evaluator.nemo.dev/job-id": "eval-1",
        "evaluator.nemo.dev/results-url": URL,
    }
    (owner,) = meta["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
        "NemoEvalJob",
        "qa-llama",
        UID,
        True,
    )


async def test_keeping_them_again_changes_nothing() -> None:
    server = ApiServer()
    results = keeper(server, answering(200, WHOLE))
    first, second = [await results.collect(JOB, "eval-1") for _ in range(2)]
    assert first == second
    assert [path for path in server.documents if path.startswith(CONFIG_MAPS)] == [
        f"{CONFIG_MAPS}/qa-llama-results",
    ]


async def test_small_results_and_their_evidence_are_one_write() -> None:
    server = ApiServer()
    stored = await keeper(server, answering(200, WHOLE)).collect(JOB, "eval-1")

    assert stored.evidence is not None
    assert stored.evidence.config_map == stored.config_map
    assert [request for request in server.requests if request.startswith("POST")] == [f"POST {CONFIG_MAPS}"]
    kept = await load_evidence(server.client, "team-a", stored.evidence, None)
    assert [score.name for score in kept.scores] == ["qa/em/em"]


async def test_larger_results_are_kept_before_and_apart_from_their_evidence() -> None:
    server = ApiServer()
    large = WHOLE | {"anything": "x" * MAX_TOGETHER_BYTES}
    stored = await keeper(server, answering(200, large)).collect(JOB, "eval-1")

    assert stored.evidence is not None
    assert (stored.config_map, stored.evidence.config_map) == ("qa-llama-results", "qa-llama-evidence")
    assert list(server.config_map(stored.config_map)["data"]) == ["results.json"]


async def test_results_are_kept_alone_where_they_are_refused_together_with_evidence() -> None:
    """As by an admission policy against binaryData."""
    server = ApiServer()
    server.refuses = lambda document: "binaryData" in document
    stored = await keeper(server, answering(200, WHOLE)).collect(JOB, "eval-1")

    assert stored.evidence is None
    assert json.loads(server.config_map(stored.config_map)["data"]["results.json"]) == WHOLE


async def test_results_that_were_kept_without_evidence_before_an_upgrade_are_left_alone() -> None:
    server = ApiServer()
    server.documents[f"{CONFIG_MAPS}/qa-llama-results"] = before = config_map(UID, "eval-1")
    first, second = [await keeper(server, answering(200, WHOLE)).collect(JOB, "eval-1") for _ in range(2)]

    assert first == second
    assert first.config_map == "qa-llama-6f1c0d3a-results"
    assert server.config_map("qa-llama-results") == before


def config_map(uid: str, job_id: str, **content: Any) -> dict[str, Any]:
    """As the operator writes it; what `content` says replaces a part of it."""
    meta = {
        "name": "qa-llama-results",
        "ownerReferences": [{"uid": uid}],
        "annotations": {"evaluator.nemo.dev/job-id": job_id},
    }
    document, _ = results_document(Results.of(WHOLE), url=URL)
    return {"metadata": meta, "immutable": True, "data": {"results.json": document}} | content


FALSIFIED = json.dumps(WHOLE | {"tasks": {"qa": {"metrics": {"em": {"scores": {"em": {"value": 1.0}}}}}}})


@pytest.mark.parametrize(
    "taken",
    [
        {"metadata": {"name": "qa-llama-results"}},
        # A job of that name was deleted and created again; its ConfigMap is not collected yet.
        config_map("another", "eval-0"),
        config_map("another", "eval-1"),
        # The same object, after its status was lost with an earlier run.
        config_map(UID, "eval-0", data={"results.json": json.dumps(WHOLE | {"job": "eval-0"})}),
        # Owner and annotations can be copied by anyone who may create ConfigMaps.
        config_map(UID, "eval-1", data={"results.json": FALSIFIED}),
        config_map(UID, "eval-1", immutable=False),
        config_map(UID, "eval-1", binaryData={"more": "AAAA"}),
    ],
    ids=[
        "without an owner",
        "predecessor's",
        "odd",
        "of an earlier run",
        "falsified",
        "changeable",
        "with more",
    ],
)
async def test_a_name_that_is_taken_is_left_alone(taken: dict[str, Any]) -> None:
    server = ApiServer()
    server.documents[f"{CONFIG_MAPS}/qa-llama-results"] = taken
    stored = await keeper(server, answering(200, WHOLE)).collect(JOB, "eval-1")
    assert stored.config_map == "qa-llama-6f1c0d3a-results"
    assert server.config_map("qa-llama-results") == taken
    assert json.loads(server.config_map(stored.config_map)["data"]["results.json"]) == WHOLE


async def test_names_that_can_be_guessed_may_be_taken_without_harm() -> None:
    server = ApiServer()
    for name in ("qa-llama-results", "qa-llama-6f1c0d3a-results"):
        server.documents[f"{CONFIG_MAPS}/{name}"] = config_map(UID, "eval-1", immutable=False)

    stored = await keeper(server, answering(200, WHOLE)).collect(JOB, "eval-1")

    assert re.fullmatch(r"qa-llama-6f1c0d3a-[0-9a-f]{16}-results", stored.config_map)


async def test_each_attempt_has_a_config_map_of_its_own() -> None:
    server = ApiServer()
    results = keeper(server, answering(200, WHOLE))
    await results.collect(JOB, "eval-1")
    again = evaljob(status=followed(attempt=2))
    assert (await results.collect(again, "eval-1")).config_map == "qa-llama-2-results"


async def test_the_config_that_was_submitted_is_kept_with_the_results() -> None:
    server = ApiServer()
    config = '{"type":"gsm8k"}'
    job = evaljob(status=followed(benchmark={"name": "qa", "generation": 2, "hash": "h", "config": config}))
    for _ in range(2):
        stored = await keeper(server, answering(200, WHOLE)).collect(job, "eval-1")
        assert stored.config_map == "qa-llama-results"
    assert server.config_map("qa-llama-results")["data"]["config.json"] == config


async def test_all_names_taken_is_for_a_person_to_mend() -> None:
    server = ApiServer()
    document, _ = results_document(Results.of(WHOLE), url=URL)
    names = config_map_names("qa-llama", uid=UID, attempt=1, document=document)
    for name in names:
        server.documents[f"{CONFIG_MAPS}/{name}"] = {"metadata": {"name": name}}
    said = str(await problem_of(keeper(server, answering(200, WHOLE))))
    assert f"ConfigMaps {', '.join(names)} exist with other content: delete one of them" in said


@pytest.mark.parametrize(
    "evaluator",
    [
        answering_raw(b'{"surprise": ['),
        answering(200, {"job": "eval-1", "tasks": {}, "groups": {}}),
        answering(200, {"job": "eval-1"}),
        answering(200, WHOLE | {"job": "eval-2"}),
        answering(200, WHOLE | {"tasks": []}),
        answering(404, {"detail": "no result"}),
        answering_raw(b"default backend", 404),
        answering(401, {"detail": "who are you"}),
        answering(500, {"detail": "oh"}),
        answering(200, WHOLE, Content_Encoding="compress"),
    ],
    ids=[
        "garbage",
        "partial",
        "empty",
        "another's",
        "no tasks",
        "missing",
        "gateway",
        "unauthorized",
        "broken",
        "in an encoding that was not requested",
    ],
)
async def test_what_does_not_mend_is_reported_in_the_end(evaluator: Scripted) -> None:
    server = ApiServer()
    results = keeper(server, evaluator)
    for _ in range(MAX_TRIES - 1):
        problem = await problem_of(results)
        assert (problem.given_up, problem.retry_seconds) == (False, 0.0)
    problem = await problem_of(results)
    assert (problem.given_up, problem.retry_seconds) == (True, 300.0)

    evaluator.answer = answering(200, WHOLE).answer
    await results.collect(JOB, "eval-1")
    evaluator.answer = answering(500, {}).answer
    assert not (await problem_of(results)).given_up, "a success resets the count"


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def silent(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("")


@pytest.mark.parametrize(
    "evaluator",
    [
        Scripted(unreachable),
        Scripted(silent),
        answering(429, {}, Retry_After="1"),
        answering_raw(b"", 502),
        answering_raw(b"", 503),
        answering_raw(b"", 504),
    ],
    ids=["unreachable", "silent", "busy", "502", "503", "504"],
)
async def test_an_outage_is_waited_for_however_long_it_takes(evaluator: Scripted) -> None:
    results = keeper(ApiServer(), evaluator)
    for _ in range(3 * MAX_TRIES):
        assert not (await problem_of(results)).given_up


async def test_a_config_map_that_is_refused_is_a_problem_of_the_results() -> None:
    server = ApiServer()
    server.refusal = httpx.Response(403, json={"message": "exceeded quota"})
    assert "exceeded quota" in str(await problem_of(keeper(server, answering(200, WHOLE))))


async def test_a_kubernetes_api_that_does_not_answer_is_not() -> None:
    server = ApiServer()
    server.refusal = httpx.Response(503, json={"message": "leader changed"})
    with pytest.raises(KubeUnavailable):
        await keeper(server, answering(200, WHOLE)).collect(JOB, "eval-1")


async def test_large_results_are_read_too_and_cut_to_what_a_config_map_holds() -> None:
    server = ApiServer()
    rows = {"t": EM["qa"] | {"data": {"samples": ["x" * 1_000] * 3_000}}}
    stored = await keeper(server, answering(200, WHOLE | {"tasks": rows})).collect(JOB, "eval-1")
    assert stored.truncated
    assert [score.task for score in stored.scores.first] == ["t"]
    text = server.config_map("qa-llama-results")["data"]["results.json"]
    assert len(text) < 900 * 1024
    kept = json.loads(text)
    assert kept["tasks"]["t"]["metrics"] == EM["qa"]["metrics"]
    assert URL in kept["truncated"]


async def test_no_secret_is_kept_with_the_results() -> None:
    canary = "hf-canary/+5f1c9"
    server = ApiServer()
    server.put_secret("hub", token=canary)
    source = {"secretKeyRef": {"name": "hub", "key": "token"}, "targetPath": "config.params.extra.hf_token"}
    job = evaljob(status=followed(), valuesFrom=[source])
    encoded = base64.b64encode(canary.encode()).decode()
    metrics = {"em": {"scores": {"em": {"value": 0.5}}}}
    echoing = WHOLE | {"tasks": {"t": {"metrics": metrics, "data": [f"Bearer {canary}", {"b64": encoded}]}}}

    stored: Any = await keeper(server, answering(200, echoing)).collect(job, "eval-1")

    kept = json.dumps(server.config_map("qa-llama-results"))
    assert canary not in kept
    assert encoded not in kept
    assert "Bearer ******" in kept
    assert [score.value for score in stored.scores.first] == [0.5]


async def test_results_whose_names_hold_a_credential_are_not_kept_and_not_altered() -> None:
    """A person is asked to look; the evaluator still has them."""
    canary = "nvapi-9dK2mQ7xWvTz4LsR8bYc"
    server = ApiServer()
    server.put_secret("hub", token=canary)
    source = {"secretKeyRef": {"name": "hub", "key": "token"}, "targetPath": "config.params.extra.hf_token"}
    job = evaljob(status=followed(), valuesFrom=[source])
    echoing = WHOLE | {"tasks": {"t": {"metrics": {canary: {"scores": {"em": {"value": 0.5}}}}}}}

    problem = await problem_of(keeper(server, answering(200, echoing)), job)

    assert str(problem) == f"{URL}: the name of a task, metric or score contains a credential"
    assert not [path for path in server.documents if path.startswith(CONFIG_MAPS)]


@pytest.mark.parametrize("placeholder", ["metrics", "scores", "ollama", "em", "value", "eval-1", "tasks"])
async def test_a_placeholder_in_place_of_a_key_alters_no_result(placeholder: str) -> None:
    server = ApiServer()
    config = {"type": "gsm8k", "params": {"extra": {"judge_api_key": placeholder}}}
    job = evaljob(status=followed(), config=config)
    whole = WHOLE | {"said": [f"{placeholder} it is"]}
    stored = await keeper(server, answering(200, whole)).collect(job, "eval-1")
    assert json.loads(server.config_map("qa-llama-results")["data"]["results.json"]) == whole
    assert [score.metric for score in stored.scores.first] == ["em"]
