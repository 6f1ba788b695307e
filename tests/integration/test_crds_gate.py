"""spec.gate before a real API server: for each constraint a gate that is taken, and one that is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from testbed.cluster import Cluster
from tests.integration.crds import Api

pytestmark = pytest.mark.usefixtures("crds")

FLOOR = {"score": "qa/answered", "minimum": 0.7}
DROP = {"score": "qa/answered", "maxDrop": 0.02}
NAMED = {"jobRef": {"name": "prod"}}
SELECTED = {"selector": {"matchLabels": {"series": "nightly"}}}


@pytest.fixture
def dry(cluster: Cluster) -> Api:
    """For questions that leave nothing behind."""
    return Api(cluster, "default", "NemoEvalJob")


@pytest.fixture
def api(cluster: Cluster, namespace: str) -> Api:
    return Api(cluster, namespace, "NemoEvalJob")


def run(**fields: Any) -> dict[str, Any]:
    return {"benchmarkRef": {"name": "qa"}, "model": "m", **fields}


def gate(*criteria: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return run(gate={"criteria": list(criteria), **fields})


def floor(**fields: Any) -> dict[str, Any]:
    return gate({"score": "qa/answered", **fields})


REFUSED = [
    pytest.param(gate(FLOOR), run(gate={}), "spec.gate.criteria: Required value", id="criteria"),
    pytest.param(gate(FLOOR), gate(), "should have at least 1 items", id="empty criteria"),
    pytest.param(
        gate(FLOOR),
        gate({"score": "qa"}),
        "a criterion needs a rule: set minimum, maximum, maxDrop or maxRelativeDrop",
        id="a rule",
    ),
    pytest.param(
        gate({**FLOOR, "tier": "Advisory"}, {"score": "f1", "minimum": 0.1}),
        gate({**FLOOR, "tier": "Advisory"}),
        "at least one criterion has to be Critical or Supporting",
        id="only advisory",
    ),
    pytest.param(
        gate(DROP, baseline=NAMED),
        gate(DROP),
        "maxDrop and maxRelativeDrop need a baseline",
        id="a drop without a baseline",
    ),
    pytest.param(
        gate(DROP, baseline=SELECTED),
        gate(FLOOR, baseline=SELECTED),
        "gate.baseline has no effect without a criterion",
        id="a baseline without a drop",
    ),
    pytest.param(
        floor(minimum=0.5, maximum=0.5),
        floor(minimum=0.5, maximum=0.4),
        "minimum is above maximum",
        id="minimum and maximum",
    ),
    pytest.param(
        floor(maximum=8, direction="LowerIsBetter"),
        floor(minimum=8, direction="LowerIsBetter"),
        "direction LowerIsBetter contradicts minimum",
        id="lower is better",
    ),
    pytest.param(
        floor(minimum=8, direction="HigherIsBetter"),
        floor(maximum=8),
        "direction HigherIsBetter (the default) contradicts maximum",
        id="higher is better",
    ),
    pytest.param(
        floor(minimum=0.5, by="Confidence"),
        gate({**DROP, "by": "Confidence"}, baseline=NAMED),
        "by: Confidence applies to minimum and maximum",
        id="by",
    ),
    pytest.param(
        gate({**DROP, "maxRelativeDrop": 0.1, "relativeDropBelow": 0.2}, baseline=NAMED),
        gate({**DROP, "relativeDropBelow": 0.2}, baseline=NAMED),
        "relativeDropBelow has no effect without maxRelativeDrop",
        id="relativeDropBelow",
    ),
    pytest.param(
        floor(minimum=-1e15),
        floor(minimum=1e16),
        "less than or equal to 1000000000000000",
        id="finite thresholds",
    ),
    pytest.param(
        gate(DROP, baseline=NAMED),
        gate({**DROP, "maxDrop": -0.1}, baseline=NAMED),
        "greater than or equal to 0",
        id="maxDrop",
    ),
    pytest.param(
        gate(FLOOR, {"score": "f1", "minimum": 0.1}),
        gate(FLOOR, FLOOR),
        "Duplicate value",
        id="one score twice",
    ),
    pytest.param(
        gate(DROP, baseline={**SELECTED, "passed": False}),
        gate(DROP, baseline={**NAMED, "passed": True}),
        "baseline.passed applies to baseline.selector only",
        id="passed",
    ),
    pytest.param(
        gate(DROP, baseline=SELECTED),
        gate(DROP, baseline=NAMED | SELECTED),
        "set exactly one of baseline.jobRef (a job by name) and baseline.selector",
        id="jobRef and selector",
    ),
    pytest.param(
        gate(DROP, baseline={"selector": {"matchExpressions": [{"key": "series", "operator": "Exists"}]}}),
        gate(DROP, baseline={"selector": {}}),
        "an empty selector would match every job",
        id="empty selector",
    ),
    pytest.param(
        gate(
            DROP,
            baseline={"selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}},
        ),
        gate(DROP, baseline={"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
        "operators In and NotIn need values",
        id="requirement",
    ),
    pytest.param(
        gate(DROP, baseline=NAMED),
        gate(DROP, baseline={"jobRef": {"name": "prod", "namespace": "other"}}),
        "a baseline is a NemoEvalJob in this job's namespace: remove namespace",
        id="another namespace",
    ),
    pytest.param(
        gate(DROP, baseline=SELECTED, ifNoBaseline="Skip"),
        gate(DROP, baseline=NAMED, ifNoBaseline="Skip"),
        "ifNoBaseline: Skip is for baseline.selector",
        id="ifNoBaseline",
    ),
    pytest.param(
        gate(FLOOR),
        {**gate(FLOOR), "dryRun": True},
        "spec.dryRun evaluates one sample, which decides nothing: remove spec.gate",
        id="dryRun",
    ),
    pytest.param(
        gate(FLOOR, confidence=0.9),
        gate(FLOOR, confidence=1),
        "confidence has to be between 0.5",
        id="certain",
    ),
    pytest.param(
        gate(FLOOR, confidence=0.5), gate(FLOOR, confidence=0), "confidence has to be between 0.5", id="none"
    ),
]


@pytest.mark.parametrize(("good", "bad", "objection"), REFUSED)
def test_constraint(dry: Api, good: dict[str, Any], bad: dict[str, Any], objection: str) -> None:
    assert dry.objection_to(good) == ""
    assert objection in dry.objection_to(bad)


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999", "NaN"])
def test_a_threshold_that_is_not_finite_is_refused(dry: Api, number: str) -> None:
    text = json.dumps(dry.manifest(gate(FLOOR)))
    create = ("create", "--dry-run=server", "-f", "-")

    assert dry.cluster.kubectl(*create, input=text, check=False).stderr == ""
    refused = dry.cluster.kubectl(*create, input=text.replace("0.7", number), check=False)
    assert refused.stderr != ""
    assert refused.returncode != 0


@pytest.mark.parametrize(
    "after",
    [gate({**FLOOR, "minimum": 0.8}, confidence=0.9), gate(DROP, baseline=NAMED), run()],
    ids=["changed", "another", "removed"],
)
def test_the_gate_is_mutable(api: Api, after: dict[str, Any]) -> None:
    assert api.objection_to_change(gate(FLOOR), after) == ""


def test_a_new_gate_changes_nothing_that_runs(api: Api) -> None:
    after = {**gate({**FLOOR, "minimum": 0.8}), "model": "other"}

    assert "spec.model is immutable" in api.objection_to_change(gate(FLOOR), after)


def test_the_largest_gate_is_still_checked(api: Api) -> None:
    """The API server bounds the cost of its rules."""
    criteria = [{**DROP, "score": f"{number:03}{'s' * 500}"} for number in range(50)]
    large = gate(*criteria, baseline=NAMED)

    assert api.objection_to_change(large, {**large, "priority": 1}) == ""
    assert "must have at most 50 items" in api.objection_to_patch({"gate": {"criteria": [*criteria, FLOOR]}})


@pytest.mark.parametrize(
    ("path", "lesson"),
    [
        ("spec.gate", "Editing the gate judges the existing results again and does not start a run"),
        ("spec.gate.criteria", "maxNaNFraction"),
        ("spec.gate.baseline", "Default: true."),
        ("status.gate", "verdict"),
    ],
)
def test_explain(dry: Api, path: str, lesson: str) -> None:
    assert lesson in dry.explain(path)
