"""Kopf's part: watching the kinds and logging in.

Events only, no create/update/delete handlers: those keep their state in annotations
and their retries in a task per object, and each costs two more writes. What an
event means is decided from the object itself, when a worker has read it afresh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import kopf

from nemo_eval_operator.kube import Credentials, ObjectKey
from nemo_eval_operator.metrics import Metrics
from nemo_eval_operator.nemo import JsonObject
from nemo_eval_operator.reconcile import WorkQueue
from nemo_eval_operator.resources import (
    GROUP,
    VERSION,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
)

from .changes import Changes
from .echoes import Echoes

__all__ = ["Context", "build_registry"]


@dataclass(frozen=True, slots=True)
class Context:
    """What the handlers need; Kopf hands it to them as `memo`."""

    queue: WorkQueue
    credentials: Credentials
    take_note: Callable[[JsonObject], bool]
    """Whether the copy of a NemoEvalJob in an event says that it needs no look."""
    echoes: Echoes
    metrics: Metrics
    changes: Changes = field(default_factory=Changes)


def build_registry() -> kopf.OperatorRegistry:
    """All handlers, registered with a registry of our own, so that importing has no effect."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def log_in(memo: Context, **_: Any) -> kopf.ConnectionInfo:
        return connection_info(memo.credentials)

    for kind in (NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection):

        @kopf.on.event(GROUP, VERSION, kind.PLURAL, registry=registry, id=f"enqueue-{kind.PLURAL}")
        async def enqueue(
            memo: Context, body: kopf.Body, event: kopf.RawEvent, resource: kopf.Resource, **_: Any
        ) -> None:
            meta = body.metadata
            gone = event["type"] == "DELETED"
            version = event["object"]["metadata"].get("resourceVersion", "")
            memo.echoes.heard(resource.plural, meta.namespace or "", version)
            if resource.plural == NemoEvalJob.PLURAL:
                memo.metrics.job_seen(
                    meta.uid or "", None if gone else str(body.status.get("phase") or "New")
                )
            key = ObjectKey(resource.plural, meta.namespace or "", meta.name or "")
            memo.queue.prioritise(key, 0 if gone else _priority(body))
            if not memo.changes.worth_a_look(meta.uid or "", body, gone=gone):
                return
            if resource.plural == NemoEvalJob.PLURAL and not gone and memo.take_note(_document(event)):
                return
            memo.queue.add(key)

    return registry


def _document(event: kopf.RawEvent) -> JsonObject:
    """The object as the API server sent it."""
    return cast("JsonObject", event["object"])


def _priority(body: kopf.Body) -> int:
    """spec.priority; what the object says otherwise is judged when it is read."""
    priority = body.spec.get("priority", 0)
    return priority if isinstance(priority, int) else 0


def connection_info(credentials: Credentials) -> kopf.ConnectionInfo:
    """Kopf's own client gets in the same way as ours; it asks again when its token is refused."""
    scheme, _, token = (credentials.authorization() or "").partition(" ")
    certificate, private_key = credentials.certificate or (None, None)
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=credentials.ca_path,
        insecure=credentials.insecure,
        scheme=scheme or None,
        token=token or None,
        certificate_path=certificate,
        private_key_path=private_key,
    )
