"""NeMo's own part of the kinds before a real API server: what it keeps, what it refuses, what it explains."""

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from pydantic import BaseModel

from nemo_eval_operator.nemo import EvaluationConfig, EvaluationTarget, OpenModel
from nemo_eval_operator.resources import NemoEvalJob
from testbed.cluster import Cluster
from tests.integration.crds import Api
from tests.unit.resources.manifests import CONFIG, TARGET

pytestmark = pytest.mark.usefixtures("crds")

Json = dict[str, Any]

UNDECLARED = "a_field_of_tomorrow"
READ: dict[str, BaseModel] = {
    "config": EvaluationConfig.model_validate(CONFIG),
    "target": EvaluationTarget.model_validate(TARGET),
}
SPEC: Json = {"config": CONFIG, "target": TARGET}


def objects(read: object, written: Json) -> Iterator[tuple[bool, Json]]:
    """Each object of NeMo's schemas in `written`, with whether it takes undeclared fields."""
    if isinstance(read, BaseModel):
        yield isinstance(read, OpenModel), written
        for name in read.model_fields_set:
            yield from objects(getattr(read, name), written.get(name, {}))
    elif isinstance(read, dict):
        for name, value in read.items():
            if isinstance(value, BaseModel):
                yield from objects(value, written[name])


def with_undeclared_fields(*, open_ones: bool) -> tuple[Json, int]:
    """A spec with an undeclared field in each open object, or in each closed one; and how many."""
    spec = deepcopy(SPEC)
    added = 0
    for part, read in READ.items():
        for is_open, written in objects(read, spec[part]):
            # The example shares dictionaries, so one may be met twice.
            if is_open is open_ones:
                written[UNDECLARED] = {"x": [1, None]}
                added += 1
    return json.loads(json.dumps(spec)), added


def test_open_objects_keep_undeclared_fields_up_to_the_wire(cluster: Cluster, namespace: str) -> None:
    spec, added = with_undeclared_fields(open_ones=True)
    assert added > 20
    kept = NemoEvalJob.model_validate(Api(cluster, namespace, "NemoEvalJob").create(spec)).spec
    assert kept.config is not None
    assert kept.target is not None
    assert {"config": kept.config.to_request(), "target": kept.target.to_request()} == spec


def test_closed_objects_refuse_undeclared_fields(cluster: Cluster) -> None:
    spec, added = with_undeclared_fields(open_ones=False)
    objection = Api(cluster, "default", "NemoEvalJob").objection_to(spec)
    assert added > 10
    assert objection.count("unknown field") == json.dumps(spec).count(UNDECLARED)


@pytest.mark.parametrize(
    "path",
    [
        f"{at}.{field}"
        for at in ("params.extra", "tasks.params", "tasks.metrics.params", "groups.metrics.params")
        for field in (
            "hf_token",
            "judge_llm",
            "judge_llm.api_endpoint.url",
            "judge_llm.api_endpoint.model_id",
            "judge_llm.api_endpoint.api_key",
        )
    ],
)
@pytest.mark.parametrize("kind", ["NemoBenchmark", "NemoEvalJob"])
def test_free_form_params_are_explained(cluster: Cluster, kind: str, path: str) -> None:
    assert "DESCRIPTION: <empty>" not in Api(cluster, "default", kind).explain(f"spec.config.{path}")


@pytest.mark.skipif(
    os.environ.get("NEMO_TEST_KUBERNETES") == "oldest", reason="field selectors of CRDs need Kubernetes 1.31"
)
def test_jobs_are_selected_by_phase_model_and_benchmark(cluster: Cluster, namespace: str) -> None:
    api = Api(cluster, namespace, "NemoEvalJob")
    api.create({"benchmarkRef": {"name": "qa"}, "model": "tiny"})
    api.patch_status({"phase": "Running", "model": "tiny"})
    for selector in ("status.phase=Running", "status.model=tiny", "spec.benchmarkRef.name=qa"):
        assert len(api.table("--field-selector", selector)) == 2
    other = cluster.kubectl(
        "get", "nejob", "-n", namespace, "-o", "name", "--field-selector", "status.phase=Failed"
    )
    assert other.stdout == ""
