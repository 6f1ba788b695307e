"""Liveness of the watches: each write of the operator has to come back as a watch event.

Kopf does not report whether a watch works, and a watch that has stopped looks like a quiet cluster. This
check sends no requests.
"""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.runtime.heartbeats import Heartbeats

__all__ = ["WatchLiveness"]

ECHO_SECONDS: Final = 180.0
"""Seconds after which a missing event counts as a stuck watch. Kopf reopens one that is silent for 70 s."""


class WatchLiveness:
    """Heartbeats of the watches: one for each kind, in the whole cluster or in each of some namespaces."""

    def __init__(self, heartbeats: Heartbeats, *, namespaces: bool, seconds: float = ECHO_SECONDS) -> None:
        self._heartbeats = heartbeats
        self._seconds = seconds
        self._namespaces = namespaces
        self._watches: dict[str, _Watch] = {}

    def expect(self, key: ObjectKey, version: str) -> None:
        """We wrote an object: its watch has to show this version, or has done so before we knew it."""
        self._watch(key.plural, key.namespace).expect(_number(version))

    def heard(self, plural: str, namespace: str, version: str) -> None:
        """A watch showed an object in this resourceVersion."""
        self._watch(plural, namespace).hear(_number(version))

    def _watch(self, plural: str, namespace: str) -> _Watch:
        name = f"watch of {plural}" + (f" in {namespace}" if self._namespaces else "")
        if name not in self._watches:
            self._watches[name] = _Watch(self._heartbeats, name, self._seconds)
        return self._watches[name]


class _Watch:
    def __init__(self, heartbeats: Heartbeats, name: str, seconds: float) -> None:
        self._heartbeat = heartbeats.add(name, limit=seconds)
        self._shown = 0
        self._expected: int | None = None
        """The first version that was written and not shown yet."""

    def expect(self, version: int) -> None:
        if self._expected is None and version > self._shown:
            self._expected = version
            self._heartbeat.beat()

    def hear(self, version: int) -> None:
        self._shown = max(self._shown, version)
        if self._expected is not None and version >= self._expected:
            self._expected = None
            self._heartbeat.rest()


def _number(version: str) -> int:
    """Versions of one kind are numbers that grow; one that is none is older than all, and not waited for."""
    return int(version) if version.isascii() and version.isdigit() else 0
