"""Every reason is one of the enum, is used, and is described in the reference."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nemo_eval_operator
from nemo_eval_operator.gates import CriterionReason
from nemo_eval_operator.lifecycle import ConditionSet, Operation
from nemo_eval_operator.lifecycle.evaluator_errors.table import TABLES
from nemo_eval_operator.lifecycle.reason_reference import (
    BENCHMARK_ENTRIES,
    CONNECTION_ENTRIES,
    EVENT_ENTRIES,
    JOB_ENTRIES,
    ConditionEntry,
    EventEntry,
)
from nemo_eval_operator.reasons import EventType, Reason
from testbed.reference.conditions import SHOWN, conditions_page
from tests.argocd import health
from tests.documented import conditions_to_kstatus

SOURCES = Path(nemo_eval_operator.__file__).parent
VOCABULARY = SOURCES / "reasons.py"
REFERENCE = SOURCES / "lifecycle" / "reason_reference"

KINDS = [JOB_ENTRIES, BENCHMARK_ENTRIES, CONNECTION_ENTRIES]
ENTRIES: list[ConditionEntry | EventEntry] = [
    *JOB_ENTRIES,
    *BENCHMARK_ENTRIES,
    *CONNECTION_ENTRIES,
    *EVENT_ENTRIES,
]

OTHER_WORDS = {
    ("lifecycle/conditions.py", "GatePassed"),
    ("lifecycle/conditions.py", "Suspended"),
    ("plugin/outcome.py", "GatePassed"),
    ("plugin/outcome.py", "Running"),
    ("plugin/report/details.py", "Completed"),
    ("plugin/run_rows.py", "Running"),
    ("plugin/run_rows.py", "Suspended"),
    ("plugin/why_screen.py", "Suspended"),
    ("resources/connection.py", "Running"),
}
"""Types of conditions, phases, and headings."""


def decision_modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCES.rglob("*.py")):
        if path != VOCABULARY and REFERENCE not in path.parents:
            yield str(path.relative_to(SOURCES)), ast.parse(path.read_text())


def other_vocabularies(module: ast.Module) -> set[ast.AST]:
    """Constants of `__all__`, and of enums of other words such as phases."""
    found = set[ast.AST]()
    for node in ast.walk(module):
        is_names = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        is_enum = isinstance(node, ast.ClassDef) and "StrEnum" in map(ast.unparse, node.bases)
        if is_names or is_enum:
            found.update(ast.walk(node))
    return found


@pytest.mark.parametrize("vocabulary", [Reason, CriterionReason])
def test_no_reason_is_spelled_outside_the_enum(vocabulary: type[Reason | CriterionReason]) -> None:
    spelled = [
        f"{name}:{node.lineno}: {node.value}"
        for name, module in decision_modules()
        for others in [other_vocabularies(module)]
        for node in ast.walk(module)
        if isinstance(node, ast.Constant)
        and node.value in set(vocabulary)
        and node not in others
        and (name, node.value) not in OTHER_WORDS
    ]
    assert spelled == []


@pytest.fixture(scope="module")
def used() -> set[str]:
    return {
        ast.unparse(node)
        for _, module in decision_modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize("reason", [*Reason, *CriterionReason])
def test_a_reason_is_used(reason: Reason | CriterionReason, used: set[str]) -> None:
    assert f"{type(reason).__name__}.{reason.name}" in used


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_described(reason: Reason) -> None:
    assert any(entry.reason is reason for entry in ENTRIES), "describe it in lifecycle/reason_reference"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.reason))
def test_a_description_has_its_text(entry: ConditionEntry | EventEntry) -> None:
    assert entry.meaning.endswith(".")
    assert entry.action == "" or entry.action.endswith(".")
    if isinstance(entry, ConditionEntry) and entry.needs_person:
        assert entry.action, "says what the person has to change"


@pytest.mark.parametrize("entries", KINDS, ids=["job", "benchmark", "connection"])
def test_a_kind_describes_a_reason_once(entries: tuple[ConditionEntry, ...]) -> None:
    reasons = [entry.reason for entry in entries]
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize("vocabulary", [Reason, CriterionReason])
def test_members_are_sorted_and_named_after_their_spelling(
    vocabulary: type[Reason | CriterionReason],
) -> None:
    names = [reason.name for reason in vocabulary]
    assert names == sorted(names)
    assert [name.replace("_", "").lower() for name in names] == [one.value.lower() for one in vocabulary]


@pytest.mark.parametrize("reason", CriterionReason)
def test_a_reason_of_a_criterion_is_described(reason: CriterionReason) -> None:
    _, _, section = conditions_page().partition("\n## Criteria of gates\n")
    (row,) = [line for line in section.splitlines() if line.startswith(f"| `{reason}` |")]
    assert [text.strip()[-1] for text in row.strip("|").split("|")[1:]] == [".", "."]


@pytest.mark.parametrize("conditions", ConditionSet)
def test_the_page_says_what_argo_cd_shows(conditions: ConditionSet) -> None:
    listed = [
        {"type": kind, "status": status, "reason": "Why", "message": "why"}
        for kind, status in conditions.value
    ]
    live = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": listed}}
    assert health(live).status == SHOWN[conditions].argocd


@pytest.mark.parametrize("conditions", ConditionSet)
def test_the_page_says_what_flux_shows(conditions: ConditionSet) -> None:
    """tests/e2e/test_gitops.py compares the same table with kstatus itself."""
    assert conditions_to_kstatus()[frozenset(conditions.value)] == SHOWN[conditions].kstatus


KIND_OF_TABLE = {Operation.CHECK: CONNECTION_ENTRIES, Operation.READ_CONFIG: BENCHMARK_ENTRIES}


@pytest.mark.parametrize("operation", KIND_OF_TABLE)
def test_what_an_error_means_is_described_with_its_conditions(operation: Operation) -> None:
    described = {entry.reason: entry.conditions for entry in KIND_OF_TABLE[operation]}
    for meaning in TABLES[operation].values():
        assert meaning.reason is not None
        assert meaning.standing in described[meaning.reason]


def test_properties_belong_to_the_reason() -> None:
    assert Reason.QUEUED.event is EventType.NONE
    assert Reason.EVALUATOR_UNREACHABLE.retried
    assert Reason.EVALUATOR_UNREACHABLE.hides_remote_job
    assert not Reason.RUNNING.hides_remote_job


def test_a_spelling_of_another_version_is_not_known() -> None:
    assert Reason.read("BackOff") is Reason.BACK_OFF
    assert Reason.read("Whatever") is None
