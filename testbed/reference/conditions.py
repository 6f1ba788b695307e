"""The page of reasons of conditions and events, from the enum of reasons and its reference."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from nemo_eval_operator.gates import CriterionReason
from nemo_eval_operator.lifecycle import ConditionSet, Outcome, conditions_of, event_of_change
from nemo_eval_operator.lifecycle.reason_reference import (
    BENCHMARK_ENTRIES,
    CONNECTION_ENTRIES,
    EVENT_ENTRIES,
    JOB_ENTRIES,
    ConditionEntry,
)
from nemo_eval_operator.reasons import Reason
from testbed.reference.markdown import GENERATED, cell, table

__all__ = ["SHOWN", "Shown", "conditions_page"]


class Shown(NamedTuple):
    """What tools make of a set of conditions."""

    kstatus: str
    argocd: str


SHOWN: Final[Mapping[ConditionSet, Shown]] = {
    ConditionSet.WORKING: Shown("InProgress", "Progressing"),
    ConditionSet.READY: Shown("Current", "Healthy"),
    ConditionSet.STALLED: Shown("Failed", "Degraded"),
    ConditionSet.COMPLETE: Shown("Current", "Healthy"),
    ConditionSet.FAILED: Shown("Failed", "Degraded"),
    ConditionSet.SUSPENDED: Shown("Current", "Suspended"),
    ConditionSet.GATE_PENDING: Shown("InProgress", "Progressing"),
    ConditionSet.GATE_PASSED: Shown("Current", "Healthy"),
    ConditionSet.GATE_FAILED: Shown("Failed", "Degraded"),
    ConditionSet.GATE_INCONCLUSIVE: Shown("Failed", "Degraded"),
    ConditionSet.GATE_LET_THROUGH: Shown("Current", "Healthy"),
}
"""Tests compare it with Argo CD's health check, and with what kstatus makes of live objects."""

_HEAD: Final = """\
# Conditions and their reasons

All conditions of one outcome have the same reason and message; `Complete` of a job with a gate keeps its own.
Match reasons in scripts: their spelling does not change; messages may.
[GitOps](../explanation/gitops.md) explains what Flux (by kstatus) and Argo CD
do with what they show. A job or benchmark that waits for a connection which is `Stalled` has the connection's
reason and message, and proceeds when the connection is ready.

An event is posted when the reason changes, unless a job starts, runs and completes without trouble. A dash
means that only status reports it.
"""

_ANY_TIME: Final = datetime.min.replace(tzinfo=UTC)


def conditions_page() -> str:
    """Return the page."""
    kinds = {
        "NemoEvalJob": JOB_ENTRIES,
        "NemoBenchmark": BENCHMARK_ENTRIES,
        "NemoEvaluatorConnection": CONNECTION_ENTRIES,
    }
    parts = [GENERATED, "\n", _HEAD]
    for kind, entries in kinds.items():
        parts += [f"\n## {kind}\n\n", _conditions(entry for entry in entries if entry.conditions)]
        if own := [entry for entry in entries if not entry.conditions]:
            parts += ["\nConditions of their own, `True` while they hold, with their name as the reason:\n\n"]
            single = ("condition", "meaning", "what to do")
            parts += [
                table(single, ((f"`{one.reason}`", cell(one.meaning), cell(one.action)) for one in own)),
            ]
    parts += [
        "\n## Criteria of gates\n\nReasons in `status.gate.criteria` and in what `gate -o json` prints. "
    ]
    parts += ["None of them is a pass; `spec.gate.onInconclusive` decides what they make of the job.\n\n"]
    parts += [table(("reason", "meaning", "what to do"), map(_criterion, CriterionReason))]
    parts += ["\n## Events\n\nEvents that are posted besides changes of conditions.\n\n"]
    columns = ("reason", "kinds", "meaning", "what to do")
    parts += [
        table(
            columns,
            (
                (f"`{event.reason}`", ", ".join(event.kinds), cell(event.meaning), cell(event.action))
                for event in EVENT_ENTRIES
            ),
        )
    ]
    return "".join(parts)


def _conditions(entries: Iterable[ConditionEntry]) -> str:
    head = ("reason", "conditions", "meaning", "what to do", "event", "kstatus", "Argo CD")
    return table(head, (_row(entry) for entry in entries))


def _criterion(reason: CriterionReason) -> tuple[str, ...]:
    return f"`{reason}`", cell(reason.meaning), cell(reason.action)


def _row(entry: ConditionEntry) -> tuple[str, ...]:
    return (
        f"`{entry.reason}`",
        " or ".join(_pairs(one) for one in entry.conditions),
        cell(entry.meaning),
        cell(entry.action),
        " or ".join(dict.fromkeys(_event(entry.reason, one) for one in entry.conditions)),
        " or ".join(SHOWN[one].kstatus for one in entry.conditions),
        " or ".join(SHOWN[one].argocd for one in entry.conditions),
    )


def _event(reason: Reason, conditions: ConditionSet) -> str:
    outcome = Outcome(conditions, reason, "")
    change = event_of_change([], conditions_of(outcome, previous=(), generation=1, now=_ANY_TIME))
    return change.type if change else "-"


def _pairs(conditions: ConditionSet) -> str:
    return " ".join(f"`{kind}={status}`" for kind, status in conditions.value)
