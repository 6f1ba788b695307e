"""The operator's own writes, as far as their watch events (echoes) have not been shown yet.

Each write has the resourceVersion that it is based on as a precondition, and only the object's reconciler
writes it. So the version that a write results in has nothing that this reconciler does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from nemo_eval_operator.kube import ObjectKey

__all__ = ["OwnWrites"]

MAX_VERSIONS: Final = 8
"""Versions kept of one object, whose events may be late or missing. An event of an older one is looked at."""


@dataclass(slots=True)
class _Running:
    """A write whose answer has not come yet: an event that is shown before it may be its echo or not."""

    held: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)


class OwnWrites:
    """Versions that came of the operator's writes, each of which `on_write` receives.

    `on_change` receives the objects that others have changed during a write.
    """

    def __init__(self, *, on_write: Callable[[ObjectKey, str], None] = lambda _key, _version: None) -> None:
        self._on_write = on_write
        self.on_change: Callable[[ObjectKey], None] = lambda _key: None
        self._running: dict[ObjectKey, _Running] = {}
        self._versions: dict[ObjectKey, list[str]] = {}

    def begun(self, key: ObjectKey) -> None:
        """A write of the object is sent."""
        self._running.setdefault(key, _Running())

    def ended(self, key: ObjectKey, version: str | None) -> None:
        """The write resulted in this version; None where it failed, or no answer came."""
        running = self._running.pop(key, _Running())
        if version is not None and version not in running.held | running.dropped:
            versions = self._versions.setdefault(key, [])
            versions.append(version)
            del versions[:-MAX_VERSIONS]
        if version is not None:
            self._on_write(key, version)
        if running.held - {version}:
            self.on_change(key)

    def is_echo(self, key: ObjectKey, version: str) -> bool:
        """Return whether the version came of a write of the operator."""
        return version in self._versions.get(key, ())

    def hold(self, key: ObjectKey, version: str) -> bool:
        """Keep a changed object until it is known whether the write in flight made it so.

        Return False where no write is in flight.
        """
        running = self._running.get(key)
        if running is None:
            return False
        running.held.add(version)
        return True

    def dropped(self, key: ObjectKey, version: str) -> None:
        """The event of this version was dropped: it will not come again, nor will those before it."""
        if (running := self._running.get(key)) is not None:
            running.dropped.add(version)
        versions = self._versions.get(key)
        if versions is not None and version in versions:
            del versions[: versions.index(version) + 1]
            if not versions:
                del self._versions[key]

    def forget(self, key: ObjectKey) -> None:
        """Keep nothing of an object that is gone."""
        self._versions.pop(key, None)
