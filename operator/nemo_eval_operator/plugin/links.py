"""The links of the chain from connection to gate, and the first one in a run's way: pure.

The operator reports one reason for a job at a time. `places` says to which link each belongs; the links
before it are passed, unless their own object says otherwise, and those after it are not reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeAlias

from nemo_eval_operator.gates import CriterionReason, Result
from nemo_eval_operator.kube import CoreEvent
from nemo_eval_operator.lifecycle import cause_of
from nemo_eval_operator.lifecycle.reason_reference import (
    BENCHMARK_ENTRIES,
    CONNECTION_ENTRIES,
    JOB_ENTRIES,
    ConditionEntry,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import (
    Condition,
    GateVerdict,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
    Tier,
)

from .exit_codes import ExitCode
from .outcome import awaits_rerun, ending_of, is_behind
from .places import PLACES, Place
from .suggestions import commands_for

__all__ = ["Chain", "Facts", "Link", "Object", "State", "Unreadable", "chain_of"]


class State(Enum):
    """How a link stands."""

    PASSED = "passed"
    ACTIVE = "active"
    """The run is here, and the operator or the evaluator is at work."""
    WAITING = "waiting"
    """The run is here, and something has to change; the operator proceeds by itself when it has."""
    BLOCKED = "blocked"
    """It does not proceed before a person acts."""
    UNKNOWN = "unknown"
    """The user may not read it."""
    AHEAD = "ahead"
    """Not reached yet."""
    STOPPED = "stopped"
    """It ended here, as a person asked."""


NOT_FOUND: Final = {
    Place.BENCHMARK: Reason.BENCHMARK_NOT_FOUND,
    Place.CONNECTION: Reason.CONNECTION_NOT_FOUND,
}
"""Reasons of objects that do not exist."""

RECHECK_OPERATOR: Final = (
    "Check that the operator is running and watches this namespace, e.g. `kubectl get leases,deployments -A`."
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that cannot be read, and why: which right is missing, or that it does not exist."""

    why: str
    exists: bool = True


Object: TypeAlias = NemoBenchmark | NemoEvaluatorConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read of a run. None: the run has no such object."""

    job: NemoEvalJob
    benchmark: NemoBenchmark | Unreadable | None = None
    connection: NemoEvaluatorConnection | Unreadable | None = None
    connection_name: str = ""
    """NAMESPACE/NAME, or the evaluator's URL where there is no connection."""
    events: Mapping[str, tuple[CoreEvent, ...]] = field(default_factory=dict)
    """By uid of the object; the newest first."""
    events_missing: str | None = None
    """The right without which events cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link, as it is shown."""

    place: Place
    subject: str
    state: State
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    events: tuple[CoreEvent, ...] = ()
    meaning: str = ""
    action: str = ""
    commands: tuple[str, ...] = ()
    """Commands to copy that belong to `action`."""
    detail: str = ""
    """What the link has brought, shown although it is passed: scores."""


@dataclass(frozen=True, slots=True)
class Chain:
    """All links of a run, and the first one that is not passed; None where the run has succeeded."""

    links: tuple[Link, ...]
    in_the_way: Link | None


def chain_of(facts: Facts) -> Chain:
    """Return the chain of a run."""
    job, here = facts.job, _place(facts.job)
    ending = ending_of(job)
    links = []
    for place in Place:
        if place is Place.GATE and job.spec.gate is None:
            continue
        link = _link(place, facts)
        if place is here:
            link = _current(link, job)
        elif list(Place).index(place) > list(Place).index(here):
            link = replace(link, state=State.AHEAD)
        elif ending is not None and link.state is not State.UNKNOWN:
            # A connection that is down today is not why a run ended.
            link = replace(link, state=State.PASSED)
        links.append(link)
    if ending is not None and ending.code is ExitCode.PASSED:
        return Chain(tuple(links), None)
    troubles = (State.WAITING, State.BLOCKED, State.STOPPED)
    first = next((link for link in links if link.state in troubles), None)
    return Chain(tuple(links), first or next((link for link in links if link.state is State.ACTIVE), None))


def _ready(conditions: Sequence[Condition]) -> Condition | None:
    """Return the condition whose reason and message are the object's: Ready, else the first."""
    return next((one for one in conditions if one.type == "Ready"), next(iter(conditions), None))


def _place(job: NemoEvalJob) -> Place:
    shown = _ready(job.status.conditions)
    reason = Reason.read(shown.reason) if shown and not _is_unseen(job) else None
    return PLACES.get(reason, Place.SPEC) if reason else Place.SPEC


def _is_unseen(job: NemoEvalJob) -> bool:
    """Return whether the conditions do not answer the latest request yet."""
    return is_behind(job) or awaits_rerun(job)


def _link(place: Place, facts: Facts) -> Link:
    job, status = facts.job, facts.job.status
    events = tuple(
        one
        for one in facts.events.get(job.metadata.uid, ())
        if PLACES.get(_reason_of(one), Place.SPEC) is place
    )
    match place:
        case Place.CONNECTION:
            link = _of_object(place, facts.connection_name, facts.connection, CONNECTION_ENTRIES, facts)
        case Place.BENCHMARK:
            ref = job.spec.benchmark_ref
            subject = ref.name if ref else "spec.config"
            link = _of_object(place, subject, facts.benchmark, BENCHMARK_ENTRIES, facts)
        case Place.SPEC:
            link = Link(place=place, subject="", state=State.PASSED)
        case Place.QUEUE:
            link = Link(place=place, subject=_queue(facts.connection), state=State.PASSED)
        case Place.REMOTE_JOB:
            link = Link(place=place, subject=status.job_id or "", state=State.PASSED)
        case Place.RESULTS:
            kept = status.results_ref.config_map if status.results_ref else None
            link = Link(place=place, subject=kept or "", state=State.PASSED, detail=status.score or "")
        case Place.GATE:
            verdict = status.gate.verdict.value if status.gate else ""
            link = Link(place=place, subject=verdict, state=State.PASSED)
    return replace(link, events=(*link.events, *events))


def _reason_of(event: CoreEvent) -> Reason:
    return Reason.read(event.reason) or Reason.INVALID_SPEC


def _queue(connection: NemoEvaluatorConnection | Unreadable | None) -> str:
    if not isinstance(connection, NemoEvaluatorConnection):
        return ""
    running, waiting = connection.status.jobs_running, connection.status.jobs_waiting
    return f"{running or 0} running, {waiting or 0} waiting"


def _of_object(
    place: Place,
    subject: str,
    found: Object | Unreadable | None,
    entries: Sequence[ConditionEntry],
    facts: Facts,
) -> Link:
    if found is None:
        return Link(place=place, subject=subject, state=State.PASSED)
    if isinstance(found, Unreadable):
        if found.exists:
            return Link(place=place, subject=subject, state=State.UNKNOWN, message=found.why)
        commands = commands_for(NOT_FOUND[place], facts.job)
        return Link(place=place, subject=subject, state=State.BLOCKED, message=found.why, commands=commands)
    shown = _ready(found.status.conditions)
    statuses = {one.type: one.status for one in found.status.conditions}
    entry = _entry(entries, shown.reason if shown else "")
    state = State.BLOCKED if statuses.get("Stalled") == "True" else State.WAITING
    return Link(
        place=place,
        subject=subject,
        state=State.PASSED if statuses.get("Ready") == "True" else state,
        reason=shown.reason if shown else "",
        message=cause_of(shown.message) if shown else "it has not been reconciled yet",
        conditions=tuple(found.status.conditions),
        events=facts.events.get(found.metadata.uid, ()),
        meaning=entry.meaning if entry else "",
        action=entry.action if entry else "",
        commands=commands_for(shown.reason if shown else "", facts.job),
    )


def _current(link: Link, job: NemoEvalJob) -> Link:
    """Return the link at which the run stands, with what the job's conditions say."""
    shown = _ready(job.status.conditions)
    if shown is None or _is_unseen(job):
        meaning = (
            "A rerun is requested, and the operator has not started it yet."
            if awaits_rerun(job)
            else "The operator has not seen the latest change of this object."
        )
        return replace(link, state=State.WAITING, meaning=meaning, action=RECHECK_OPERATOR)
    entry = _entry(JOB_ENTRIES, shown.reason)
    if link.state in {State.WAITING, State.BLOCKED} and link.reason:
        # The object's own conditions say more than that the job waits for it.
        return link
    ending = ending_of(job)
    state = State.ACTIVE if entry is None or not entry.action else State.WAITING
    if ending is not None:
        state = State.PASSED if ending.code is ExitCode.PASSED else State.BLOCKED
        if shown.reason == Reason.CANCELLED and job.spec.cancel:
            state = State.STOPPED
    return replace(
        link,
        state=state,
        reason=shown.reason,
        message="; ".join(
            filter(None, (cause_of(shown.message), link.message if link.state is State.UNKNOWN else ""))
        ),
        conditions=tuple(job.status.conditions),
        meaning=entry.meaning if entry else "",
        action=_gate_action(job) or (entry.action if entry else ""),
        commands=commands_for(shown.reason, job),
    )


def _gate_action(job: NemoEvalJob) -> str:
    """Return what to do about the criteria that leave the gate undecided; empty where none does."""
    gate = job.status.gate
    if gate is None or gate.verdict != GateVerdict.INCONCLUSIVE:
        return ""
    undecided = [
        one for one in gate.criteria or () if one.result == Result.INCONCLUSIVE and one.tier != Tier.ADVISORY
    ]
    reasons = {one.reason for one in undecided}
    actions = [one.action for one in CriterionReason if one.value in reasons]
    if None in reasons:
        # Nothing is missing: the interval is too wide.
        needed = max(one.items_needed or 0 for one in undecided)
        items = f"about {needed:,} items or more" if needed else "more items"
        actions.append(f"Evaluate {items}, or change the rules of spec.gate: the run is then judged again.")
    return " ".join(actions)


def _entry(entries: Sequence[ConditionEntry], reason: str) -> ConditionEntry | None:
    return next((entry for entry in entries if entry.reason == reason), None)
