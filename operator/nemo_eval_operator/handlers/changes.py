"""Which watch events are worth a look: not the echoes of our own status writes.

An echo that queued its object would cut short the backoff of whatever wrote the
status, and cost a read for each write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Changes"]


class Changes:
    """Remembers one number for each object: what of it somebody else may have changed."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def worth_a_look(self, uid: str, body: Mapping[str, Any], *, gone: bool) -> bool:
        """True for a new object, a change of spec or metadata, a lost status and a deletion."""
        if gone:
            self._seen.pop(uid, None)
            return True
        told = _told(body)
        changed = self._seen.get(uid) != told
        self._seen[uid] = told
        return changed


def _told(body: Mapping[str, Any]) -> int:
    meta, status = body.get("metadata", {}), body.get("status", {})
    return hash(
        (
            meta.get("generation"),
            meta.get("deletionTimestamp"),
            tuple(sorted(meta.get("labels", {}).items())),
            tuple(sorted(meta.get("annotations", {}).items())),
            status.get("observedGeneration") == meta.get("generation"),
        )
    )
