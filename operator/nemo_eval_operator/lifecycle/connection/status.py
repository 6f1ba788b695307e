"""The status of a NemoEvaluatorConnection. Pure: what was found in, status out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nemo_eval_operator.evaluator.model import EvaluatorError
from nemo_eval_operator.lifecycle import (
    ConditionSet,
    Event,
    Operation,
    Outcome,
    conditions_of,
    lasting_condition,
    meaning_of,
    reason_of,
)
from nemo_eval_operator.lifecycle.job import EvaluatorUnusable
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import Condition, ConnectionStatus, NemoEvaluatorConnection

from .deletion import Needs
from .selection import connection_name, defaults_among

__all__ = ["events_of_connection", "standing", "trouble_of", "unreadable", "why_stalled"]

DEFAULT_CONFLICT: Final = Reason.DEFAULT_CONFLICT
INSECURE: Final = Reason.INSECURE_SKIP_VERIFY
IN_USE: Final = Reason.CONNECTION_IN_USE

OPEN_TO_ALL: Final = (
    "tls.insecureSkipVerify is true: an on-path attacker can read the credentials. Name the evaluator's "
    "certificate authority in tls.ca instead"
)


def trouble_of(error: EvaluatorError, connection: NemoEvaluatorConnection) -> EvaluatorUnusable:
    """Return why the connection is not usable, as a reason and a message.

    An unchanged reason keeps its first message, since a server may number its errors.
    """
    outcome, shown = meaning_of(error, Operation.CHECK).outcome(error), connection.status
    stalled = outcome.standing is ConditionSet.STALLED
    current = shown.observed_generation == connection.metadata.generation
    if current and outcome.reason == reason_of(shown.conditions):
        return EvaluatorUnusable(outcome.reason, shown.message or outcome.message, stalled=stalled)
    return EvaluatorUnusable(outcome.reason, outcome.message, stalled=stalled)


def standing(
    connection: NemoEvaluatorConnection,
    now: datetime,
    trouble: EvaluatorUnusable | None,
    *,
    siblings: Sequence[NemoEvaluatorConnection],
    running: int,
    waiting: int,
    needs: Needs | None = None,
) -> ConnectionStatus:
    """Return the outcome for a connection; `siblings` are all connections of the namespace.

    `trouble` is None where the evaluator answers.

    `needs`: of a connection that is deleted, the objects that still need it.
    """
    if trouble is None:
        outcome = Outcome(ConditionSet.READY, Reason.REACHABLE, f"the evaluator answers at {connection.url}")
    else:
        kind = ConditionSet.STALLED if trouble.stalled else ConditionSet.WORKING
        outcome = Outcome(kind, trouble.reason, trouble.message)
    lasting = _warnings(connection, siblings) | ({IN_USE: needs.message} if needs else {})
    status = _with(connection, now, outcome, lasting)
    return status.model_copy(
        update={
            "url": connection.url,
            "jobs_running": running,
            "jobs_waiting": waiting,
            "last_error": connection.status.last_error if trouble is None else outcome.message,
        }
    )


def unreadable(
    connection: NemoEvaluatorConnection, now: datetime, problem: str, *, reason: Reason = Reason.INVALID_SPEC
) -> ConnectionStatus:
    return _with(connection, now, Outcome(ConditionSet.STALLED, reason, problem), {})


def why_stalled(connection: NemoEvaluatorConnection) -> EvaluatorUnusable | None:
    """Return the message of its status where a person has to change something; else None."""
    for condition in connection.status.conditions:
        is_current = condition.observed_generation == connection.metadata.generation
        if is_current and condition.type == "Stalled" and condition.status == "True":
            message = f"NemoEvaluatorConnection {connection_name(connection)}: {condition.message}"
            reason = Reason.read(condition.reason) or Reason.CONNECTION_NOT_READY
            return EvaluatorUnusable(reason, message, stalled=True)
    return None


def events_of_connection(before: ConnectionStatus, after: ConnectionStatus) -> list[Event]:
    """The warnings that have become true."""
    held = {condition.type for condition in before.conditions}
    return [
        Event("Warning", warning, condition.message)
        for condition in after.conditions
        for warning in (DEFAULT_CONFLICT, INSECURE)
        if condition.type == warning and warning not in held
    ]


def _warnings(
    connection: NemoEvaluatorConnection, siblings: Sequence[NemoEvaluatorConnection]
) -> dict[Reason, str]:
    """Messages of further conditions by their type."""
    warnings: dict[Reason, str] = {}
    defaults = defaults_among(siblings)
    if connection.spec.default and len(defaults) > 1:
        names = ", ".join(other.metadata.name for other in defaults)
        warnings[DEFAULT_CONFLICT] = (
            f"multiple default connections in this namespace: {names}. {connection_name(defaults[0])}, the "
            "oldest, is used. Set spec.default to false on the others"
        )
    if connection.spec.tls is not None and connection.spec.tls.insecure_skip_verify:
        warnings[INSECURE] = OPEN_TO_ALL
    return warnings


def _with(
    connection: NemoEvaluatorConnection, now: datetime, outcome: Outcome, warnings: dict[Reason, str]
) -> ConnectionStatus:
    generation, previous = connection.metadata.generation, connection.status.conditions
    conditions: list[Condition] = conditions_of(outcome, previous=previous, generation=generation, now=now)
    conditions += [
        lasting_condition(kind, message, previous=previous, generation=generation, now=now)
        for kind, message in warnings.items()
    ]
    return connection.status.model_copy(
        update={"observed_generation": generation, "message": outcome.message, "conditions": conditions}
    )
