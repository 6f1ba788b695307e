"""Kopf's part: watching the kinds and logging in.

Events only, no create/update/delete handlers: those keep their state in annotations
and their retries in a task per object, and each costs two more writes. What an
event means is decided from the object itself, when a worker has read it afresh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import kopf

from nemo_eval_operator.kube import Credentials, ObjectKey
from nemo_eval_operator.resources import GROUP, VERSION, NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.workqueue import WorkQueue

from .changes import Changes
from .session import session_for
from .tables import sighting_of
from .watch_liveness import WatchLiveness

__all__ = ["Context", "build_registry"]


@dataclass(frozen=True, slots=True)
class Context:
    """Dependencies of the handlers; Kopf passes it to them as `memo`."""

    queue: WorkQueue
    credentials: Credentials
    is_noted: Callable[[str, str], bool]
    """Return whether a NemoEvalJob, by uid and resourceVersion, is known to be up to date."""
    watch_liveness: WatchLiveness
    metrics: Metrics
    changes: Changes = field(default_factory=Changes)

    def gone(self, uid: str, key: ObjectKey) -> None:
        """The object was deleted, or does not match the selector any more: keep nothing of it."""
        if key.plural == NemoEvalJob.PLURAL:
            self.metrics.job_seen(uid, None)
            self.is_noted(uid, "")
        if self.changes.forget(uid, key):
            self.queue.prioritise(key, 0)
        # The reconciler finds that there is none, and forgets it too.
        self.queue.add(key)


async def log_in(memo: Context, **_: Any) -> kopf.AiohttpSession:
    """Give Kopf a session with our own credentials; it asks again when a token was refused."""
    return session_for(connection_info(memo.credentials))


async def on_event(memo: Context, event: kopf.RawEvent, resource: kopf.Resource, **_: Any) -> None:
    """Queue the object that a watch event or a list names, unless nothing of it has changed."""
    seen = sighting_of(event["object"])
    memo.watch_liveness.heard(resource.plural, seen.namespace, seen.version)
    key = ObjectKey(resource.plural, seen.namespace, seen.name)
    if event["type"] == "DELETED":
        memo.gone(seen.uid, key)
        return
    is_job = resource.plural == NemoEvalJob.PLURAL
    if is_job:
        memo.metrics.job_seen(seen.uid, seen.phase or "New")
    memo.queue.prioritise(key, seen.priority)
    if not memo.changes.worth_a_look(seen.uid, key, seen.digest):
        return
    if is_job and memo.is_noted(seen.uid, seen.version):
        return
    memo.queue.add(key)


def build_registry() -> kopf.OperatorRegistry:
    """Return a registry of our own with all handlers, so that importing has no effect."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(log_in)
    for kind in (NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection):
        kopf.on.event(GROUP, VERSION, kind.PLURAL, registry=registry, id=f"enqueue-{kind.PLURAL}")(on_event)
    return registry


def connection_info(credentials: Credentials) -> kopf.ConnectionInfo:
    """Return credentials for Kopf's client; Kopf requests them again when its token is refused."""
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
