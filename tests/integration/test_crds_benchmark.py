"""The CRD of NemoBenchmark before a real API server, which alone enforces what it says.

For each constraint: a manifest that is taken, and one that is refused with a sentence that helps.
"""

from typing import Any

import pytest

from testbed.cluster import Cluster
from tests.integration.crds import Api
from tests.unit.resources.manifests import CONFIG

pytestmark = pytest.mark.usefixtures("crds")


@pytest.fixture
def dry(cluster: Cluster) -> Api:
    """For questions that leave nothing behind."""
    return Api(cluster, "default", "NemoBenchmark")


@pytest.fixture
def api(cluster: Cluster, namespace: str) -> Api:
    return Api(cluster, namespace, "NemoBenchmark")


NO_METRICS: tuple[dict[str, Any], ...] = ({}, {"metrics": {}})


def config(**fields: Any) -> dict[str, Any]:
    return {"config": {"type": "gsm8k", **fields}}


def params(**fields: Any) -> dict[str, Any]:
    return config(params=fields)


def value(target_path: str, **secret: Any) -> dict[str, Any]:
    return {"secretKeyRef": {"name": "hf", "key": "token", **secret}, "targetPath": target_path}


@pytest.mark.parametrize(
    ("good", "bad", "objection"),
    [
        pytest.param(config(), {}, "spec.config: Required value", id="config"),
        pytest.param(config(), {"config": {}}, "spec.config.type: Required value", id="type"),
        pytest.param(
            config(type=("a type that NeMo adds next")),
            config(type=""),
            "spec.config.type",
            id=("type is not empty"),
        ),
        pytest.param(
            config(name=("A.name_of:any~kind")), config(name=""), "spec.config.name", id=("name is not empty")
        ),
        pytest.param(
            params(temperature=0), params(temperature=-0.1), "greater than or equal to 0", id="temperature"
        ),
        pytest.param(params(top_p=1), params(top_p=1.1), "less than or equal to 1", id="top_p at most 1"),
        pytest.param(params(top_p=0), params(top_p=-1), "greater than or equal to 0", id="top_p at least 0"),
        pytest.param(
            params(max_tokens=1), params(max_tokens=0), ("greater than or equal to 1"), id="max_tokens"
        ),
        pytest.param(
            params(parallelism=1), params(parallelism=0), ("greater than or equal to 1"), id="parallelism"
        ),
        pytest.param(
            params(limit_samples=1), params(limit_samples=0), "greater than or equal to 1", id="limit_samples"
        ),
        pytest.param(
            params(request_timeout=1),
            params(request_timeout=0),
            ("greater than or equal to 1"),
            id="request_timeout",
        ),
        pytest.param(
            params(max_retries=0), params(max_retries=-1), ("greater than or equal to 0"), id="max_retries"
        ),
        pytest.param(params(stop="END"), params(stop=""), "spec.config.params.stop", id="stop as text"),
        pytest.param(params(stop=["END"]), params(stop=[5]), "must be of type string", id="stop as a list"),
        pytest.param(
            config(tasks={"qa": {"type": "data"}}),
            config(tasks={"qa": {}}),
            "spec.config.tasks.qa.type: Required value",
            id="task type",
        ),
        pytest.param(
            config(tasks={"qa": {"type": "data", "dataset": {"files_url": "hf://x"}}}),
            config(tasks={"qa": {"type": "data", "dataset": {"split": "test"}}}),
            '"spec.config.tasks.qa.dataset" must validate at least one schema',
            id="dataset in full",
        ),
        pytest.param(
            config(tasks={"qa": {"type": "data", "dataset": "team-a/qa"}}),
            config(tasks={"qa": {"type": "data", "dataset": ""}}),
            "spec.config.tasks.qa.dataset",
            id="dataset by name",
        ),
        pytest.param(
            config(tasks={"qa": {"type": "data", "dataset": {"files_url": "hf://x", "limit": 1}}}),
            config(tasks={"qa": {"type": "data", "dataset": {"files_url": "hf://x", "limit": 0}}}),
            "greater than or equal to 1",
            id="dataset limit",
        ),
        pytest.param(
            config(tasks={"qa": {"type": "data", "metrics": {"em": {"type": "em"}}}}),
            config(tasks={"qa": {"type": "data", "metrics": {"em": {"params": {}}}}}),
            "spec.config.tasks.qa.metrics.em.type: Required value",
            id="metric type",
        ),
        *(
            pytest.param(
                config(type=kind, tasks={"qa": {"type": "data", "metrics": {"em": {"type": "em"}}}}),
                config(type=kind, tasks={"qa": {"type": "data"} | metrics}),
                "each task of a config of type custom or similarity_metrics needs metrics",
                id=f"{kind} task with {metrics}",
            )
            for kind in ("custom", "similarity_metrics")
            for metrics in NO_METRICS
        ),
        pytest.param(
            config(tasks={"qa": {"type": "data", "metrics": {"em": {"type": "em"}}}}),
            config(tasks={"qa": {"type": "data", "metric": {"em": {"type": "em"}}}}),
            'unknown field "spec.config.tasks.qa.metric"',
            id="misspelt metrics",
        ),
        pytest.param(
            config(groups={"all": {"groups": {"some": {"tasks": ["qa"]}}}}),
            config(groups={"all": {"groups": {"some": {"tasks": "qa"}}}}),
            "must be of type array",
            id="groups within groups",
        ),
        pytest.param(
            {**config(), "deletionPolicy": "Orphan"},
            {**config(), "deletionPolicy": "Keep"},
            'supported values: "Delete", "Orphan"',
            id="deletionPolicy",
        ),
        pytest.param(
            {**config(), "valuesFrom": [value("params.extra.hf_token", optional=True)]},
            {**config(), "valuesFrom": [value("config.params.extra.hf_token")]},
            "targetPath is relative to spec.config: drop the leading config.",
            id="targetPath",
        ),
        pytest.param(
            {**config(), "valuesFrom": [value("params.extra.hf_token")]},
            {**config(), "valuesFrom": [value("params.extra.hf_token", name="")]},
            "spec.valuesFrom[0].secretKeyRef.name",
            id="secret name",
        ),
        pytest.param(config(), config(paramz={}), 'unknown field "spec.config.paramz"', id="misspelt field"),
    ],
)
def test_constraint(dry: Api, good: dict[str, Any], bad: dict[str, Any], objection: str) -> None:
    assert dry.objection_to(good) == ""
    assert objection in dry.objection_to(bad)


ORPHANED = "is immutable, because changing it would orphan the config in NeMo: create a new NemoBenchmark"


@pytest.mark.parametrize("field", ["name", "namespace"])
@pytest.mark.parametrize(
    ("before", "after"), [("old", "new"), ("old", None), (None, "new")], ids=["changed", "removed", "added"]
)
def test_config_is_not_renamed(api: Api, field: str, before: str | None, after: str | None) -> None:
    written, rewritten = (config(**({field: name} if name else {})) for name in (before, after))
    assert f"spec.config.{field} {ORPHANED}" in api.objection_to_change(written, rewritten)


def test_server_side_apply_takes_text_for_an_object_and_back(api: Api) -> None:
    """As Flux and Argo CD do it; structured merge has to cope with fields that have no type."""
    for dataset in ({"files_url": "hf://x"}, "team-a/qa", {"files_url": "hf://y", "revision": "main"}):
        for stop in ("END", ["END", "STOP"]):
            spec = config(params={"stop": stop}, tasks={"qa": {"type": "data", "dataset": dataset}})
            assert api.apply(spec)["spec"] == spec


def test_everything_else_can_change(api: Api) -> None:
    before = config(name="n", namespace="ns", params={"extra": {"a": 1}})
    after = {
        **config(name="n", namespace="ns", type="other", tasks={"t": {"type": "x"}}),
        "deletionPolicy": "Orphan",
    }
    assert api.objection_to_change(before, after) == ""


def test_every_field_of_nemo_is_kept_as_written(api: Api) -> None:
    created = api.create({"config": CONFIG})
    assert created["spec"] == {"config": CONFIG}


def test_new_object_reads_as_not_yet_handled(api: Api) -> None:
    assert api.create(config())["status"] == {"observedGeneration": -1}


def test_status_is_a_subresource_of_its_own(api: Api) -> None:
    generation = api.create(config())["metadata"]["generation"]
    assert api.patch_status({"observedGeneration": 1})["metadata"]["generation"] == generation


def test_columns(api: Api) -> None:
    api.create(config())
    api.patch_status(
        {
            "config": "team-a/it",
            "message": "config is in place",
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "InSync",
                    "message": "",
                    "lastTransitionTime": "2026-01-02T03:04:05Z",
                }
            ],
        }
    )
    heading, row = api.table()
    assert heading == ["NAME", "TYPE", "CONFIG", "READY", "REASON", "AGE"]
    assert row[:-1] == ["it", "gsm8k", "team-a/it", "True", "InSync"]
    heading, row = api.table("-o", "wide")
    assert heading[-2:] == ["EVALUATOR", "MESSAGE"]
    assert row[-2:] == ["", "config is in place"]


@pytest.mark.parametrize(
    ("path", "lesson"),
    [
        ("spec.config", "Evaluation config, with the fields of NeMo Evaluator's API"),
        ("spec.config.tasks.dataset", "configMapRef <Object> Rows from a ConfigMap"),
        ("spec.config.groups.groups", "tasks <[]string>"),
        ("spec.deletionPolicy", "Default: Delete."),
        ("status.conditions", "lastTransitionTime <string> -required-"),
    ],
)
def test_explain(dry: Api, path: str, lesson: str) -> None:
    assert lesson in dry.explain(path)
