"""Filter of watch events: echoes of the operator's own status writes do not queue their object.

An echo that did would cut short a backoff, and cost a read for each write.
"""

from __future__ import annotations

from typing import NamedTuple

from nemo_eval_operator.kube import ObjectKey

__all__ = ["Changes"]


class _Known(NamedTuple):
    key: ObjectKey
    digest: int | None
    """Digest of spec and metadata; None until the watch has shown the object."""


class Changes:
    """Remembers each object, with a digest of the fields that others than the operator change."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._latest: dict[ObjectKey, str] = {}
        """The uid of the object that has a name now; another of that name may have vanished before it."""

    def expect(self, uid: str, key: ObjectKey) -> None:
        """Remember an object that was listed before the watch began: it may be deleted before it is shown."""
        if uid not in self._known:
            self._known[uid] = _Known(key, None)
            self._latest.setdefault(key, uid)

    def is_known(self, uid: str, digest: int) -> bool:
        """Return whether the object was last seen with this digest."""
        known = self._known.get(uid)
        return known is not None and known.digest == digest

    def worth_a_look(self, uid: str, key: ObjectKey, digest: int) -> bool:
        """Return whether the object is new, changed in spec or metadata, without its status, or deleted."""
        before = self._known.get(uid)
        self._known[uid] = _Known(key, digest)
        self._latest[key] = uid
        return before is None or before.digest != digest

    def forget(self, uid: str, key: ObjectKey) -> bool:
        """The object is gone. Return whether no other one has its name."""
        self._known.pop(uid, None)
        if self._latest.get(key, uid) != uid:
            return False
        self._latest.pop(key, None)
        return True

    def of_kind(self, plural: str) -> dict[str, ObjectKey]:
        """The objects of a kind that were listed or shown and did not go since, by uid."""
        return {uid: known.key for uid, known in self._known.items() if known.key.plural == plural}
