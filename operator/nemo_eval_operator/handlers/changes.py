"""Which watch events are worth a look: not the echoes of our own status writes.

An echo that queued its object would cut short the backoff of whatever wrote the
status, and cost a read for each write.
"""

from __future__ import annotations

__all__ = ["Changes"]


class Changes:
    """Remembers one number for each object: what of it somebody else may have changed."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def worth_a_look(self, uid: str, digest: int, *, gone: bool) -> bool:
        """True for a new object, a change of spec or metadata, a lost status and a deletion."""
        if gone:
            self._seen.pop(uid, None)
            return True
        changed = self._seen.get(uid) != digest
        self._seen[uid] = digest
        return changed
