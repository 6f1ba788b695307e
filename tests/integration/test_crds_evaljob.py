"""The CRD of NemoEvalJob before a real API server, which alone enforces what it says.

For each constraint: a manifest that is taken, and one that is refused with a sentence that helps.
"""

from typing import Any

import pytest

from testbed.cluster import Cluster
from tests.integration.crds import Api
from tests.unit.resources.manifests import CONFIG, TARGET

pytestmark = pytest.mark.usefixtures("crds")

BENCHMARK = {"benchmarkRef": {"name": "qa"}}
MODEL = {"model": "meta/llama-3.1-8b-instruct"}
ENDPOINT = {"url": "http://nim.test/v1", "model_id": "meta/llama-3.1-8b-instruct"}

PIPELINE = {"query_embedding_model": "q", "index_embedding_model": "i"}


@pytest.fixture
def dry(cluster: Cluster) -> Api:
    """For questions that leave nothing behind."""
    return Api(cluster, "default", "NemoEvalJob")


@pytest.fixture
def api(cluster: Cluster, namespace: str) -> Api:
    return Api(cluster, namespace, "NemoEvalJob")


def run(**fields: Any) -> dict[str, Any]:
    return {**BENCHMARK, **MODEL, **fields}


def target(kind: str, **fields: Any) -> dict[str, Any]:
    return {**BENCHMARK, "target": {"type": kind, **fields}}


def value(target_path: str, key: str = "token") -> dict[str, Any]:
    return {"secretKeyRef": {"name": "hf", "key": key}, "targetPath": target_path}


ONE_CONFIG = "set exactly one of spec.benchmarkRef (a NemoBenchmark) and spec.config"
ONE_TARGET = "set exactly one of spec.model (a model by name) and spec.target"


@pytest.mark.parametrize(
    ("good", "bad", "objection"),
    [
        pytest.param(run(), MODEL, ONE_CONFIG, id="neither benchmark nor config"),
        pytest.param(
            {**MODEL, "config": {"type": "gsm8k"}},
            run(config={"type": "gsm8k"}),
            ONE_CONFIG,
            id="both benchmark and config",
        ),
        pytest.param(run(), BENCHMARK, ONE_TARGET, id="neither model nor target"),
        pytest.param(
            target("model", model="m"), run(target={"type": "model", "model": "m"}), ONE_TARGET, id="both"
        ),
        pytest.param(
            run(), run(benchmarkRef={}), ("spec.benchmarkRef.name: Required value"), id="benchmarkRef.name"
        ),
        pytest.param(run(), run(model=""), "spec.model", id="model is not empty"),
        pytest.param(
            {**MODEL, "config": {"type": "x"}},
            {**MODEL, "config": {}},
            ("spec.config.type: Required"),
            id="config.type",
        ),
        pytest.param(
            target("rows", rows=[{"q": 1}]),
            target("spaceship", rows=[{"q": 1}]),
            ("Unsupported value"),
            id="type",
        ),
        pytest.param(
            target("model", model="m"),
            {**BENCHMARK, "target": {"model": "m"}},
            "spec.target.type: Required value",
            id="no type",
        ),
        pytest.param(
            target("model", model={"api_endpoint": ENDPOINT}),
            target("model", model={"api_endpoint": {"url": "http://nim.test"}}),
            "spec.target.model.api_endpoint.model_id: Required value",
            id="model_id",
        ),
        pytest.param(
            target("retriever", retriever={"pipeline": PIPELINE}),
            target("retriever", retriever={"pipeline": {"query_embedding_model": "q"}}),
            "spec.target.retriever.pipeline.index_embedding_model: Required value",
            id="retriever pipeline",
        ),
        pytest.param(
            target("rag", rag={"pipeline": {"retriever": {}, "model": "m"}}),
            target("rag", rag={"pipeline": {"model": "m"}}),
            "spec.target.rag.pipeline.retriever: Required value",
            id="rag pipeline",
        ),
        pytest.param(
            run(samplingParams={"temperature": 0}),
            run(samplingParams={"temperature": -1}),
            "greater than or equal to 0",
            id="temperature",
        ),
        pytest.param(
            run(samplingParams={"top_p": 0.5}),
            run(samplingParams={"top_p": 2}),
            "less than or equal to 1",
            id="top_p",
        ),
        pytest.param(
            run(samplingParams={"max_tokens": 1, "stop": ["a"]}),
            run(samplingParams={"max_tokens": 0}),
            "greater than or equal to 1",
            id="max_tokens",
        ),
        pytest.param(
            run(samplingParams={"stop": "a"}),
            run(samplingParams={"parallelism": 2}),
            'unknown field "spec.samplingParams.parallelism"',
            id="parallelism is the benchmark's",
        ),
        pytest.param(
            run(dryRun=True),
            run(dryRun=True, limitSamples=2),
            "spec.dryRun evaluates one sample of each task: remove spec.limitSamples",
            id="dryRun",
        ),
        pytest.param(
            run(limitSamples=1),
            run(limitSamples=0),
            "spec.limitSamples in body should be greater than or equal to 1",
            id="limitSamples",
        ),
        pytest.param(
            run(
                valuesFrom=[value("config.params.extra.hf_token"), value("target.model.api_endpoint.api_key")]
            ),
            run(valuesFrom=[value("params.extra.hf_token")]),
            "starts with config. or target.",
            id="targetPath",
        ),
        pytest.param(
            run(activeDeadlineSeconds=1),
            run(activeDeadlineSeconds=0),
            "greater than or equal to 1",
            id="activeDeadlineSeconds",
        ),
        pytest.param(
            run(activeDeadlineSeconds=2**31 - 1, ttlSecondsAfterFinished=2**31 - 1),
            run(activeDeadlineSeconds=2**31),
            "less than or equal to 2147483647",
            id="activeDeadlineSeconds, the maximum",
        ),
        pytest.param(
            run(ttlSecondsAfterFinished=0),
            run(ttlSecondsAfterFinished=-1),
            "greater than or equal to 0",
            id="ttlSecondsAfterFinished",
        ),
        pytest.param(
            run(cancelTimeoutSeconds=0),
            run(cancelTimeoutSeconds=-1),
            "greater than or equal to 0",
            id="cancelTimeoutSeconds at least 0",
        ),
        pytest.param(
            run(cancelTimeoutSeconds=3600),
            run(cancelTimeoutSeconds=3601),
            "less than or equal to 3600",
            id="cancelTimeoutSeconds at most an hour",
        ),
        pytest.param(
            run(deletionPolicy="Delete"),
            run(deletionPolicy="Retain"),
            'supported values: "Cancel", "Delete", "Orphan"',
            id="deletionPolicy",
        ),
    ],
)
def test_constraint(dry: Api, good: dict[str, Any], bad: dict[str, Any], objection: str) -> None:
    assert dry.objection_to(good) == ""
    assert objection in dry.objection_to(bad)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("model", "meta/llama-3.1-8b-instruct"),
        ("cached_outputs", {"files_url": "hf://datasets/team-a/outputs"}),
        ("retriever", {"cached_outputs": {"files_url": "hf://datasets/team-a/retrieved"}}),
        ("rag", {"dataset": {"files_url": "hf://datasets/team-a/answers"}}),
        ("rows", [{"question": "?"}]),
        ("dataset", "team-a/outputs"),
        ("dataset", {"files_url": "hf://datasets/team-a/outputs"}),
    ],
)
def test_target_has_what_its_type_says(dry: Api, kind: str, content: object) -> None:
    assert dry.objection_to(target(kind, **{kind: content})) == ""
    wrong: dict[str, Any] = {"dataset": "team-a/outputs"} if kind == "rows" else {"rows": [{}]}
    assert f"target.type {kind} needs target.{kind}: add " in dry.objection_to(target(kind, **wrong))


def inline(**extra: Any) -> dict[str, Any]:
    return {**MODEL, "config": {"type": "custom", "params": {"extra": extra}}}


def endpoint(**fields: Any) -> dict[str, Any]:
    return target("model", model={"api_endpoint": {**ENDPOINT, **fields}, "artifact": {"kept": True}})


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        pytest.param(run(), run(benchmarkRef={"name": "other"}), "benchmarkRef", id="benchmarkRef changed"),
        pytest.param(run(), inline(), "benchmarkRef", id="benchmarkRef removed"),
        pytest.param(inline(), run(), "benchmarkRef", id="benchmarkRef added"),
        pytest.param(
            inline(shots={"n": 8}),
            inline(shots={"n": 9}),
            "config",
            id=("config changed, where it is free-form"),
        ),
        pytest.param(inline(), {**MODEL, "config": {"type": "other"}}, "config", id="config changed"),
        pytest.param(inline(), run(), "config", id="config removed"),
        pytest.param(run(), inline(), "config", id="config added"),
        pytest.param(run(), run(model="other"), "model", id="model changed"),
        pytest.param(run(), endpoint(), "model", id="model removed"),
        pytest.param(endpoint(), run(), "model", id="model added"),
        pytest.param(
            endpoint(), endpoint(url="http://other.test"), "target", id=("target changed where untyped")
        ),
        pytest.param(
            endpoint(), target("model", model="m"), "target", id=("target changed from an object to text")
        ),
        pytest.param(endpoint(), run(), "target", id="target removed"),
        pytest.param(run(), endpoint(), "target", id="target added"),
        pytest.param(
            run(samplingParams={"stop": ["a"]}),
            run(samplingParams={"stop": ["a", "b"]}),
            "samplingParams",
            id="samplingParams changed",
        ),
        pytest.param(run(samplingParams={"top_p": 1}), run(), "samplingParams", id="samplingParams removed"),
        pytest.param(run(), run(samplingParams={"top_p": 1}), "samplingParams", id="samplingParams added"),
        pytest.param(run(dryRun=True), run(dryRun=False), "dryRun", id="dryRun changed"),
        pytest.param(run(), run(dryRun=True), "dryRun", id="dryRun added"),
        pytest.param(run(limitSamples=1), run(limitSamples=2), "limitSamples", id="limitSamples changed"),
        pytest.param(run(), run(limitSamples=1), "limitSamples", id="limitSamples added"),
        pytest.param(
            run(valuesFrom=[value("config.a")]),
            run(valuesFrom=[value("config.a", key="other")]),
            "valuesFrom",
            id="valuesFrom changed",
        ),
        pytest.param(run(valuesFrom=[value("config.a")]), run(), "valuesFrom", id="valuesFrom removed"),
        pytest.param(run(), run(valuesFrom=[value("config.a")]), "valuesFrom", id="valuesFrom added"),
    ],
)
def test_what_is_run_is_immutable(
    api: Api, before: dict[str, Any], after: dict[str, Any], field: str
) -> None:
    assert (" is immutable: create a new NemoEvalJob to ") in api.objection_to_change(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(run(), run(suspend=True), id="suspended"),
        pytest.param(run(suspend=True), run(), id="resumed"),
        pytest.param(run(), run(cancel=True), id="cancelled"),
        pytest.param(run(cancel=False), run(), id="never cancelled"),
        pytest.param(
            run(activeDeadlineSeconds=60, ttlSecondsAfterFinished=60, cancelTimeoutSeconds=60),
            run(activeDeadlineSeconds=90, deletionPolicy="Orphan"),
            id="deadlines and policies",
        ),
        pytest.param({**endpoint(), "suspend": True}, endpoint(), id="resumed where untyped"),
    ],
)
def test_a_run_can_be_steered(api: Api, before: dict[str, Any], after: dict[str, Any]) -> None:
    assert api.objection_to_change(before, after) == ""


@pytest.mark.parametrize("after", [run(), run(cancel=False)], ids=["removed", "false"])
def test_cancel_cannot_be_taken_back(api: Api, after: dict[str, Any]) -> None:
    assert ("spec.cancel cannot be set back to false: create a new") in api.objection_to_change(
        run(cancel=True), after
    )


ENDED = {"phase": "Succeeded", "completionTime": "2026-03-01T12:00:00Z"}


def test_cancel_is_refused_once_the_run_has_ended(api: Api) -> None:
    api.create(run())
    api.patch_status(ENDED)

    assert "spec.cancel cannot be set after the run has ended" in api.objection_to_patch({"cancel": True})
    assert api.objection_to_patch({"cancel": False}) == ""
    assert api.objection_to_patch({"priority": 5}) == ""


def test_a_cancelled_job_can_be_applied_and_edited_again(api: Api) -> None:
    api.apply(run(cancel=True))
    api.patch_status(ENDED | {"phase": "Cancelled"})

    assert api.apply(run(cancel=True))["spec"]["cancel"] is True
    assert api.objection_to_patch({"ttlSecondsAfterFinished": 60}) == ""
    api.patch_status({"message": "a status is written all the same"})


def test_every_field_of_nemo_is_kept_as_written(api: Api) -> None:
    spec = {"config": CONFIG, "target": TARGET, "samplingParams": {"stop": ["</s>"], "temperature": 0}}
    assert api.create(spec)["spec"] == spec


def test_a_large_run_is_still_compared_and_steered(api: Api) -> None:
    """The API server bounds the cost of its rules; ours must hold up to what etcd takes."""
    rows = [{"question": "q" * 50, "answer": "a" * 20} for _ in range(9000)]
    large = {"config": CONFIG, "target": {"type": "rows", "rows": rows}}
    assert api.objection_to_change(large, {**large, "suspend": True}) == ""


def test_new_object_reads_as_not_yet_handled(api: Api) -> None:
    assert api.create(run())["status"] == {"observedGeneration": -1}


def test_status_is_a_subresource_of_its_own(api: Api) -> None:
    generation = api.create(run())["metadata"]["generation"]
    assert api.patch_status({"phase": "Running"})["metadata"]["generation"] == generation


@pytest.mark.parametrize("field", ["config", "target"])
def test_a_reference_to_what_is_in_the_evaluator_is_refused_at_its_field(dry: Api, field: str) -> None:
    """NVIDIA's usual job body. The API server checks types before any rule, so the words are its own."""
    spec: dict[str, Any] = {"config": {"type": "gsm8k"}, "target": {"type": "model", "model": "m"}}
    spec[field] = "ns/name"
    assert f'spec.{field} in body must be of type object: "string"' in dry.objection_to(spec)
