"""Kopf's part: watching the kinds and logging in.

Events only, no create/update/delete handlers: those keep their state in annotations
and their retries in a task per object, and each costs two more writes. What an
event means is decided from the object itself, when a worker has read it afresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import kopf

from nemo_eval_operator.kube import Credentials, ObjectKey, tls_context
from nemo_eval_operator.resources import GROUP, VERSION, NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.workqueue import WorkQueue

from .changes import Changes
from .own_writes import OwnWrites
from .session import session_for
from .tables import Sighting, sighting_of
from .watch_liveness import WatchLiveness

__all__ = ["Context", "build_registry"]

HANDLED: Final = frozenset({None, "ADDED", "MODIFIED", "DELETED"})
"""Types of events that Kopf passes to the handler; None is an object of a list."""


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
    own_writes: OwnWrites = field(default_factory=OwnWrites)
    with_kopf: Counter[str] = field(default_factory=Counter)
    """Watch events by uid that were passed to Kopf, and that it has not passed to the handler yet."""

    def absorbs(self, plural: str, event: Mapping[str, Any]) -> bool:
        """Take note of an object of a list, or of a watch event that is an echo or changes only a status.

        Return False for any other event, which Kopf passes to the handler, and while it is about to pass one
        of this object: the order of an object's events is kept. Kopf starts a task for each object that it is
        given, which makes it ten times as expensive as taking note of it, and would be all of a restart.
        """
        if event["type"] not in HANDLED:
            return False
        seen = sighting_of(event["object"])
        is_first = not self.with_kopf[seen.uid]
        if event["type"] is None:
            if is_first:
                self._take_up(plural, None, seen)
            return is_first
        key = ObjectKey(plural, seen.namespace, seen.name)
        known = self.changes.is_known(seen.uid, seen.digest) or self.own_writes.is_echo(key, seen.version)
        if event["type"] != "MODIFIED" or not known or not is_first:
            self.with_kopf[seen.uid] += 1
            return False
        self._note(key, seen)
        self.own_writes.dropped(key, seen.version)
        return True

    def shown(self, plural: str, event: Mapping[str, Any]) -> None:
        """Queue the object of a watch event or of a list, unless nothing of it has changed."""
        seen = sighting_of(event["object"])
        if event["type"] is not None:
            self._came_from_kopf(seen.uid)
        self._take_up(plural, event["type"], seen)

    def _take_up(self, plural: str, kind: str | None, seen: Sighting) -> None:
        key = ObjectKey(plural, seen.namespace, seen.name)
        if kind == "DELETED":
            self.watch_liveness.heard(plural, seen.namespace, seen.version)
            self.gone(seen.uid, key)
            return
        # A list may leave out the versions before one, and with them a change that was not the operator's.
        is_echo = kind == "MODIFIED" and self.own_writes.is_echo(key, seen.version)
        if not self._note(key, seen) or is_echo:
            self.own_writes.dropped(key, seen.version)
            return
        if plural == NemoEvalJob.PLURAL and self.is_noted(seen.uid, seen.version):
            return
        if not self.own_writes.hold(key, seen.version):
            self.queue.add(key)

    def _came_from_kopf(self, uid: str) -> None:
        self.with_kopf[uid] -= 1
        if self.with_kopf[uid] <= 0:
            del self.with_kopf[uid]

    def _note(self, key: ObjectKey, seen: Sighting) -> bool:
        """Remember how the object was seen; return whether that is new."""
        self.watch_liveness.heard(key.plural, key.namespace, seen.version)
        if key.plural == NemoEvalJob.PLURAL:
            self.metrics.job_seen(seen.uid, seen.phase or "New")
        self.queue.prioritise(key, seen.priority)
        return self.changes.worth_a_look(seen.uid, key, seen.digest)

    def gone(self, uid: str, key: ObjectKey) -> None:
        """The object was deleted, or does not match the selector any more: keep nothing of it."""
        if key.plural == NemoEvalJob.PLURAL:
            self.metrics.job_seen(uid, None)
            self.is_noted(uid, "")
        self.own_writes.forget(key)
        # Events that a watch did not pass on when it ended would otherwise be counted as long as this runs.
        self.with_kopf.pop(uid, None)
        if self.changes.forget(uid, key):
            self.queue.prioritise(key, 0)
        # The reconciler finds that there is none, and forgets it too.
        self.queue.add(key)


async def log_in(memo: Context, **_: Any) -> kopf.AiohttpSession:
    """Give Kopf a session with our own credentials; it asks again when a token was refused."""
    # Kopf may have been restarted, and has dropped what it had.
    memo.with_kopf.clear()
    context = tls_context(memo.credentials)
    return session_for(connection_info(memo.credentials), context, absorbs=memo.absorbs)


async def on_event(memo: Context, event: kopf.RawEvent, resource: kopf.Resource, **_: Any) -> None:
    """Queue the object that a watch event or a list names."""
    memo.shown(resource.plural, event)


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
