"""All writes of the operator to its objects: status, finalizer, event.

A status is written under the preconditions of the object that it was decided on; its event is derived from
the change, so there is one for each.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from pydantic import ValidationError

from nemo_eval_operator.clock import timestamp
from nemo_eval_operator.json_types import JSON_OBJECT, JsonObject
from nemo_eval_operator.kube import AnyResource, KubeClient, KubeError, KubeRefused, ObjectTooLarge, key_of
from nemo_eval_operator.lifecycle import FINALIZER, Event, claim_of, event_of_change
from nemo_eval_operator.lifecycle.requests import event_of_plain_secrets, event_of_unknown_fields
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import (
    BenchmarkStatus,
    ConnectionStatus,
    EvalJobStatus,
    EvaluatorUsed,
    LabelSelector,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
    ObjectMeta,
    Phase,
)
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.validation import in_words

__all__ = [
    "FINALIZER_RECHECK_SECONDS",
    "FinalizerRefused",
    "ObjectWriter",
    "Problem",
    "first_problem",
    "is_selected",
    "problem_of",
]

logger = logging.getLogger(__name__)

MAX_PATH_PARTS: Final = 6
"""Parts that are shown of a path that is too deep, such as spec.config.params.extra."""

FINALIZER_RECHECK_SECONDS: Final = 60.0
"""Seconds between two attempts to add a finalizer that Kubernetes refused; an edit is an event."""

ResourceT = TypeVar("ResourceT", NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection)
OwnedT = TypeVar("OwnedT", NemoBenchmark, NemoEvalJob)
"""Kinds of objects that own a resource in the evaluator."""


class FinalizerRefused(Exception):
    """Kubernetes refuses the operator's finalizer or annotations, as where the metadata is too large."""

    def __init__(self, refusal: KubeRefused) -> None:
        self.reason = Reason.FINALIZER_REFUSED
        super().__init__(
            "Kubernetes refused to add the operator's finalizer and annotations, without which nothing is "
            f"created in an evaluator: {refusal}. If that is about this object's metadata, correct it; else "
            "ask the cluster's administrator"
        )


class ObjectWriter:
    """Writer of statuses, finalizers and events. `on_recorded` receives each job whose status was written."""

    def __init__(
        self,
        kube: KubeClient,
        metrics: Metrics,
        *,
        on_recorded: Callable[[NemoEvalJob], None] = lambda _: None,
    ) -> None:
        self._kube = kube
        self._metrics = metrics
        self._on_recorded = on_recorded

    async def record(
        self, thing: ResourceT, status: BenchmarkStatus | EvalJobStatus | ConnectionStatus
    ) -> ResourceT:
        """Write `status` where it differs, post the event of the change, and return the updated object.

        Raises Outdated where the object was written since it was read, ObjectGone where it was deleted.
        """
        if status == thing.status:
            return thing
        body = JSON_OBJECT.validate_python(status.to_manifest())
        written = await self._kube.replace_status(key_of(thing), thing.metadata, body)
        self._metrics.status_written(thing.kind)
        recorded = _as_written(thing, written).model_copy(update={"status": status})
        if isinstance(recorded, NemoEvalJob):
            self._on_recorded(recorded)
        if event := event_of_change(thing.status.conditions, status.conditions):
            await self.post_event(thing, event)
        elif isinstance(recorded, NemoEvalJob) and recorded.status.phase is not thing.status.phase:
            # A run that nothing is wrong with posts no event.
            _log_success(recorded)
        first_of_generation = thing.status.observed_generation != status.observed_generation
        if first_of_generation:
            for event_of in (event_of_plain_secrets, event_of_unknown_fields):
                if warning := event_of(thing):
                    await self.post_event(thing, warning)
        return recorded

    async def claim(self, thing: OwnedT, evaluator: EvaluatorUsed | None = None) -> OwnedT:
        """Add the finalizer, and in the same write marks that outlive a lost status.

        Raises FinalizerRefused.
        """
        try:
            written = await self._kube.replace_finalizers(
                key_of(thing),
                thing.metadata,
                [*(name for name in thing.metadata.finalizers if name != FINALIZER), FINALIZER],
                annotations={**thing.metadata.annotations, **claim_of(thing.metadata, evaluator)},
            )
        except KubeRefused as error:
            raise FinalizerRefused(error) from error
        return _as_written(thing, written)

    async def remove_finalizer(self, thing: OwnedT, *, left_behind: str | None = None) -> OwnedT:
        """Release the object; event and metric report what stays in the evaluator against the user's wish."""
        remaining = [name for name in thing.metadata.finalizers if name != FINALIZER]
        written = await self._kube.replace_finalizers(key_of(thing), thing.metadata, remaining)
        if left_behind is not None:
            await self._tell_of_left_behind(thing, left_behind)
        return _as_written(thing, written)

    async def hold(self, connection: NemoEvaluatorConnection) -> NemoEvaluatorConnection:
        """Add the finalizer to a connection, so that it outlives its deletion while objects need it.

        Raises FinalizerRefused.
        """
        finalizers = [*connection.metadata.finalizers, FINALIZER]
        try:
            written = await self._kube.replace_finalizers(key_of(connection), connection.metadata, finalizers)
        except KubeRefused as error:
            raise FinalizerRefused(error) from error
        return _as_written(connection, written)

    async def release(self, connection: NemoEvaluatorConnection) -> None:
        """Remove the finalizer from a connection that is deleted."""
        remaining = [name for name in connection.metadata.finalizers if name != FINALIZER]
        await self._kube.replace_finalizers(key_of(connection), connection.metadata, remaining)

    async def _tell_of_left_behind(self, thing: NemoBenchmark | NemoEvalJob, left_behind: str) -> None:
        is_job = isinstance(thing, NemoEvalJob)
        remote = thing.status.job_id if isinstance(thing, NemoEvalJob) else thing.status.config
        self._metrics.orphaned(
            "job" if is_job else "config",
            namespace=thing.metadata.namespace,
            name=thing.metadata.name,
            remote=remote or "",
        )
        message = f"left in the evaluator: {left_behind}"
        await self.post_event(thing, Event("Warning", Reason.LEFT_IN_EVALUATOR, message))

    async def delete(self, thing: OwnedT) -> None:
        await self._kube.delete(key_of(thing), thing.metadata.uid)

    async def post_event(self, thing: AnyResource, event: Event) -> None:
        """Post an event. A failure does not fail the reconciliation: it is logged."""
        meta = thing.metadata
        level = logging.WARNING if event.type == "Warning" else logging.INFO
        logger.log(
            level, "%s %s/%s %s: %s", thing.kind, meta.namespace, meta.name, event.reason, event.message
        )
        try:
            await self._kube.create_event(
                key_of(thing),
                meta,
                kind=thing.kind,
                event_type=event.type,
                reason=event.reason,
                message=event.message,
                name=f"{meta.name[:230]}.{uuid.uuid4().hex[:16]}",
                time=timestamp(datetime.now(UTC)),
            )
        except KubeError as error:
            logger.warning("event not posted: %s", error)


def _log_success(job: NemoEvalJob) -> None:
    meta, status = job.metadata, job.status
    if status.phase is Phase.SUCCEEDED:
        remote, score = status.job_id, status.score or "no scores"
        logger.info("NemoEvalJob %s/%s succeeded: %s, %s", meta.namespace, meta.name, remote, score)


def _as_written(thing: ResourceT, written: JsonObject) -> ResourceT:
    """Return the object after a write, whose precondition ensured that the spec is unchanged."""
    return thing.model_copy(update={"metadata": ObjectMeta.model_validate(written["metadata"])})


class Problem(NamedTuple):
    """Reason and message of a condition: why an object cannot be reconciled."""

    reason: Reason
    message: str


def problem_of(unreadable: ValidationError | None, too_large: ObjectTooLarge | None) -> Problem | None:
    if too_large is not None:
        return Problem(Reason.OBJECT_TOO_LARGE, str(too_large))
    return None if unreadable is None else Problem(Reason.INVALID_SPEC, first_problem(unreadable))


def is_selected(document: JsonObject, selector: LabelSelector) -> bool:
    """Return whether the selector matches: a key may come from a job, or be older than its labels."""
    return selector.matches(ObjectMeta.model_validate(document.get("metadata")).labels)


def first_problem(error: ValidationError) -> str:
    """The first validation error, as `spec.config.type: is required`; values are not repeated."""
    problem = error.errors(include_url=False, include_input=False)[0]
    parts = [str(part) for part in problem["loc"]]
    if problem["type"] == "recursion_depth_exceeded":
        return f"{'.'.join(parts[:MAX_PATH_PARTS])}…: nested too deeply to be read"
    return f"{'.'.join(parts)}: {in_words(problem)}"
