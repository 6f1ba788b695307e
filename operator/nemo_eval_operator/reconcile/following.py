"""The remote jobs that are being followed: what the poller asks for, and what it last saw.

Kept in memory only, a small record a job; events fill it anew after a restart.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from nemo_eval_operator.evaluator import RemoteJob
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle import Glimpse, RemoteGone, glimpse_of

__all__ = ["Followed", "Following"]


@dataclass(slots=True)
class Followed:
    """One remote job; `seen` is what its object's status already tells, `news` what it does not."""

    key: ObjectKey
    job_id: str
    seen: Glimpse
    news: RemoteJob | RemoteGone | None = None
    missed: bool = False


class Following:
    """Followed jobs by the object's key."""

    def __init__(self) -> None:
        self._by_key: dict[ObjectKey, Followed] = {}
        self._some = asyncio.Event()

    def follow(self, key: ObjectKey, job_id: str, seen: Glimpse) -> None:
        known = self._by_key.get(key)
        if known is not None and known.job_id == job_id:
            known.seen = seen
        else:
            self._by_key[key] = Followed(key=key, job_id=job_id, seen=seen)
        self._some.set()

    def forget(self, key: ObjectKey) -> None:
        self._by_key.pop(key, None)
        if not self._by_key:
            self._some.clear()

    def keys_followed(self) -> list[ObjectKey]:
        return list(self._by_key)

    def all(self) -> list[Followed]:
        return list(self._by_key.values())

    async def until_some(self) -> None:
        await self._some.wait()

    def report(self, followed: Followed, remote: RemoteJob | RemoteGone) -> bool:
        """Keep what was seen; True where the object's status does not tell it yet."""
        match remote:
            case RemoteJob():
                followed.missed = False
                if not glimpse_of(remote).tells_more_than(followed.seen):
                    return False
            case RemoteGone() if not followed.missed:
                # Once may be a moment's confusion; "lost" is a verdict for good.
                followed.missed = True
                return False
            case RemoteGone():
                pass
        followed.news = remote
        return True

    def take_news(self, key: ObjectKey, job_id: str) -> RemoteJob | RemoteGone | None:
        """What the poller saw of this remote job and nobody has taken yet."""
        followed = self._by_key.get(key)
        if followed is None or followed.job_id != job_id:
            return None
        news, followed.news = followed.news, None
        return news
