"""The chart's ValidatingAdmissionPolicy on a real API server, against a tenant's own account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from testbed.chart import template
from testbed.cluster import Cluster
from tests.e2e.job_author import JobAuthor
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, data_benchmark, data_job, eventually

pytestmark = pytest.mark.usefixtures("built_helm", "crds")

TOO_MANY = "spec has more than 10000 values, or is nested more than 24 levels deep"
TOO_LONG = "bytes of text, and 262144 are allowed"
REMEDY = "Move rows into a dataset that the evaluator reads (dataset.files_url), or split the object."


def with_extra(name: str, extra: Any) -> dict[str, Any]:
    return data_benchmark(name, config={"type": "gsm8k", "params": {"extra": extra}})


def with_rows(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return data_job(name, target={"type": "rows", "rows": rows})


def nested(levels: int) -> Any:
    value: Any = "deepest"
    for _ in range(levels):
        value = {"a": value}
    return value


def labelled(name: str, count: int) -> dict[str, Any]:
    manifest = data_benchmark(name)
    manifest["metadata"]["labels"] = {f"label-{number}": "x" for number in range(count)}
    return manifest


@pytest.fixture
def tenant(cluster: Cluster, namespace: str) -> JobAuthor:
    return JobAuthor(Scenario(cluster, namespace, "http://evaluator.test"))


@pytest.fixture
def before_the_policy(tenant: JobAuthor) -> None:
    tenant.create(with_extra("older", {"x": [[] for _ in range(20_000)]}))


@pytest.fixture
def policy(cluster: Cluster, namespace: str, tenant: JobAuthor, before_the_policy: None) -> Iterator[None]:
    """The policy as the chart has it, in force for this test's namespace only."""
    rendered = template("--show-only", "templates/admissionpolicy.yaml", namespace=namespace)
    manifests = list(yaml.safe_load_all(rendered))
    (binding,) = [found for found in manifests if found["kind"].endswith("Binding")]
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding["spec"]["matchResources"] = {"namespaceSelector": here}
    text = yaml.safe_dump_all(manifests)
    cluster.kubectl("apply", "-f", "-", input=text)
    probe = yaml.safe_dump(with_extra("probe", nested(40)))

    def in_force() -> bool:
        given = ("--namespace", namespace, "create", "--dry-run=server", "-f", "-")
        return TOO_MANY in cluster.kubectl(*given, input=probe, check=False).stderr

    eventually(in_force, "the policy is in force", seconds=60)
    yield
    cluster.kubectl("delete", "-f", "-", input=text)


def test_what_is_too_large_is_refused_with_what_to_do_and_the_rest_is_taken(
    policy: None, tenant: JobAuthor
) -> None:
    row = {"question": "q", "answer": "a"}
    for taken in (
        data_benchmark("usual"),
        with_rows("many-rows", [row] * 3_000),
        with_extra("deep", nested(18)),
        with_extra("long", {"x": "é" * 130_000}),
        labelled("many-labels", 100),
    ):
        tenant.create(taken)
    for refused, problem in (
        (with_rows("rows", [row] * 4_000), TOO_MANY),
        (with_extra("flat", {"x": [[] for _ in range(400_000)]}), TOO_MANY),
        (with_extra("square", {"x": [[[] for _ in range(1_000)] for _ in range(100)]}), TOO_MANY),
        (with_extra("hidden", {"x": nested(40), "y": [{} for _ in range(9_000)]}), TOO_MANY),
        (with_extra("levels", nested(23)), TOO_MANY),
        (with_extra("text", {"x": "é" * 140_000}), TOO_LONG),
        (with_extra("keys", {f"{number}" * 20: 1 for number in range(4_000)}), TOO_LONG),
        (labelled("labels", 2_000), "metadata has more than 1000 labels"),
    ):
        said = tenant.refused("create", "-f", "-", manifest=refused)
        assert problem in said, refused["metadata"]["name"]
        assert REMEDY in said or "Remove some." in said
        assert "resulted in error" not in said


def test_an_object_that_grew_before_the_policy_can_be_let_go_of_but_not_grow(
    policy: None, tenant: JobAuthor
) -> None:
    scenario = tenant.scenario
    patch = {"metadata": {"labels": {"team": "a"}, "finalizers": ["evaluator.nemo.dev/finalizer"]}}
    scenario.patch(BENCHMARK, "older", patch)
    scenario.patch(BENCHMARK, "older", {"metadata": {"finalizers": None}})
    more = '{"spec": {"config": {"params": {"extra": {"y": 1}}}}}'
    assert TOO_MANY in tenant.refused("patch", BENCHMARK, "older", "--type=merge", "-p", more)
    small = '{"spec": {"config": {"params": {"extra": {"x": null}}}}}'
    scenario.kubectl("patch", BENCHMARK, "older", "--type=merge", "-p", small)
    scenario.kubectl("delete", BENCHMARK, "older")
    tenant.create(data_job("usual"))
    tenant.scenario.kubectl("delete", JOB, "usual")
