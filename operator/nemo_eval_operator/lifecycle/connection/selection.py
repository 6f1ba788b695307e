"""Choice of the evaluator that an object uses: a pure function of the object and the connections.

What was submitted stays where it was submitted to: a default that changes, or a connection that is
pointed elsewhere, never causes it to be looked for, or started once more, at another evaluator.
"""

from __future__ import annotations

from collections.abc import Iterable

from nemo_eval_operator.lifecycle.job import EvaluatorUnusable, status_was_lost
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import (
    EvaluatorRef,
    EvaluatorUsed,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
)

__all__ = [
    "connection_name",
    "defaults_among",
    "is_bound",
    "mismatch",
    "moved",
    "not_allowed",
    "not_found",
    "referred_connection",
    "terminating",
    "unreadable",
]


def connection_name(connection: NemoEvaluatorConnection) -> str:
    """NAMESPACE/NAME, as statuses have it."""
    return f"{connection.metadata.namespace}/{connection.metadata.name}"


def referred_connection(ref: EvaluatorRef, namespace: str) -> str:
    """The connection that an evaluatorRef in `namespace` names, as NAMESPACE/NAME."""
    return f"{ref.namespace or namespace}/{ref.name}"


def defaults_among(connections: Iterable[NemoEvaluatorConnection]) -> list[NemoEvaluatorConnection]:
    """Those that claim to be their namespace's default; the first, the oldest, is it."""
    return sorted(
        (connection for connection in connections if connection.spec.default),
        key=lambda connection: (
            str(connection.metadata.creation_timestamp or ""),
            connection.metadata.name,
        ),
    )


def is_bound(job: NemoEvalJob) -> bool:
    """Return whether a remote job exists or may exist, which binds the object to one evaluator."""
    status = job.status
    return status.submission is not None or status.job_id is not None or status_was_lost(job)


def moved(used: EvaluatorUsed, url: str) -> EvaluatorUnusable:
    """Return that the connection points to another URL now."""
    message = (
        f"submitted to {used.url}, but NemoEvaluatorConnection {used.connection} now points to {url}. "
        "Restore the URL until the run has finished, or delete this object (the remote job keeps running)"
    )
    return EvaluatorUnusable(Reason.EVALUATOR_CHANGED, message, stalled=True)


def mismatch(wanted: str, benchmark: NemoBenchmark) -> EvaluatorUnusable | None:
    """A job that names a connection cannot run a benchmark whose config is elsewhere."""
    used = benchmark.status.evaluator
    has = used.connection if used is not None else None
    if has == wanted:
        return None
    where = f"NemoEvaluatorConnection {has}" if has else "the operator's NVIDIA_EVALUATOR_URL"
    message = (
        f"spec.evaluatorRef is {wanted}, but the config of NemoBenchmark {benchmark.metadata.name} is kept "
        f"by {where}: leave evaluatorRef out of a new NemoEvalJob, or refer to a benchmark of that evaluator"
    )
    return EvaluatorUnusable(Reason.EVALUATOR_MISMATCH, message, stalled=True)


def not_found(name: str) -> EvaluatorUnusable:
    return EvaluatorUnusable(Reason.CONNECTION_NOT_FOUND, f"there is no NemoEvaluatorConnection {name}")


def unreadable(name: str) -> EvaluatorUnusable:
    """Return that the spec of a connection cannot be read, as after a downgrade of the operator."""
    message = f"NemoEvaluatorConnection {name}: its spec cannot be read; its status says which field is wrong"
    return EvaluatorUnusable(Reason.CONNECTION_NOT_READY, message, stalled=True)


def terminating(name: str) -> EvaluatorUnusable:
    message = f"NemoEvaluatorConnection {name} is being deleted: nothing new is started on it"
    return EvaluatorUnusable(Reason.CONNECTION_TERMINATING, message)


def not_allowed(name: str, namespace: str) -> EvaluatorUnusable:
    """A connection of another namespace that does not allow this one, or does not exist.

    One answer for both: namespaces do not learn which connections others have.
    """
    message = (
        f"NemoEvaluatorConnection {name} does not exist or does not allow namespace {namespace}: its owner "
        "can add the namespace to spec.allowedNamespaces there"
    )
    return EvaluatorUnusable(Reason.CONNECTION_NOT_ALLOWED, message, stalled=True)
