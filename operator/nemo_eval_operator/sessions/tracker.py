"""Tracked remote jobs: which ones the poller reads, and what it last observed.

Kept in memory only, a small record for each job; watch events restore it after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nemo_eval_operator.evaluator.model import JobState, RemoteJob
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle.job import JobSnapshot, RemoteGone, RemoteUnclear, snapshot_of

__all__ = ["JobTracker", "TrackedJob"]

UNCLEAR_ANSWERS: Final = 2
"""Consecutive answers without a state after which the object's status says so."""


@dataclass(slots=True)
class TrackedJob:
    """One remote job; `seen` is what its object's status shows already, `news` what it does not show yet."""

    key: ObjectKey
    job_id: str
    seen: JobSnapshot
    since: datetime
    """When it was submitted."""
    every: float | None = None
    """Seconds between two polls, where the object's spec sets them."""
    due: float = 0.0
    """Time of the next poll, by the event loop's clock."""
    created_at: datetime | None = None
    """Creation time by the evaluator's clock; None until it was read."""
    news: RemoteJob | RemoteGone | RemoteUnclear | None = None
    news_since: float | None = None
    """Time of the first change that no status shows yet, by the event loop's clock."""
    missed: int = 0
    """Answers in a row that it does not exist."""
    unclear: int = 0
    """Answers in a row that did not say how it stands."""
    failures: int = 0
    """Consecutive failures to read it."""
    ended: bool = False
    """True once it was observed to have ended."""
    on_end: Callable[[], None] | None = None
    """Called at its end where it has no object that would tell it."""
    seen_at: float | None = None
    """Time of the evaluator's last answer about it, by the event loop's clock."""


class JobTracker:
    """Tracked jobs by object key. `on_told` receives the seconds from a change to the status with it."""

    def __init__(self, *, on_told: Callable[[float], None] | None = None) -> None:
        self._on_told = on_told
        self.on_over: Callable[[ObjectKey, str], object] = lambda _key, _job_id: None
        """Called with the object's key and the remote job when that was seen to have ended."""
        self._by_key: dict[ObjectKey, TrackedJob] = {}
        self._changed = asyncio.Event()

    def follow(
        self,
        key: ObjectKey,
        job_id: str,
        seen: JobSnapshot,
        *,
        since: datetime,
        every: float | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        known = self._by_key.get(key)
        if known is not None and known.job_id == job_id:
            known.seen, known.every = seen, every
            self._told(known)
        else:
            self._by_key[key] = TrackedJob(
                key=key, job_id=job_id, seen=seen, since=since, every=every, on_end=on_end
            )
            self._changed.set()

    def forget(self, key: ObjectKey) -> None:
        if (followed := self._by_key.pop(key, None)) is not None:
            self._told(followed)

    def of(self, key: ObjectKey) -> TrackedJob | None:
        return self._by_key.get(key)

    def tracked_keys(self) -> list[ObjectKey]:
        """Return the keys of objects with a tracked remote job."""
        return [key for key, followed in self._by_key.items() if followed.on_end is None]

    def saw(self, key: ObjectKey, remote: RemoteJob | RemoteGone) -> None:
        """Note what a request outside the poller showed of the remote job."""
        followed = self._by_key.get(key)
        if followed is None or not _is_over(remote):
            return
        if isinstance(remote, RemoteGone) or remote.id == followed.job_id:
            self._end(followed)

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._by_key

    def __iter__(self) -> Iterator[TrackedJob]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def due(self, moment: float) -> list[TrackedJob]:
        """Return the jobs that are due by then, including those never polled.

        Jobs with a change that was not taken yet are left out: another poll would report nothing new, and of
        thousands that end at once most wait for minutes.
        """
        return [
            followed for followed in self._by_key.values() if followed.due <= moment and followed.news is None
        ]

    def next_due(self) -> float | None:
        """The moment of the next look; None where nothing is followed."""
        return min(
            (followed.due for followed in self._by_key.values() if followed.news is None), default=None
        )

    def schedule(self, followed: TrackedJob, pace: Callable[[TrackedJob], float]) -> None:
        """Schedule the next poll after the interval of `pace`."""
        followed.due = asyncio.get_running_loop().time() + pace(followed)

    async def until_changed(self, seconds: float | None) -> None:
        """Until a job is new among the followed, or one's news was taken, at most so long."""
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def note_unchanged(self, followed: TrackedJob, state: JobState, now: float) -> bool:
        """Note that the job goes on as its object's status says; return False where that is not sure."""
        if followed.created_at is None or state.is_terminal:
            return False
        if snapshot_of(state).tells_more_than(followed.seen):
            return False
        followed.seen_at = now
        followed.unclear = 0
        followed.missed = 0
        return True

    def report(self, followed: TrackedJob, remote: RemoteJob | RemoteGone) -> bool:
        """Keep what was seen; True where the object's status does not tell it yet."""
        followed.seen_at = asyncio.get_running_loop().time()
        followed.unclear = 0
        match remote:
            case RemoteJob():
                followed.missed = 0
                followed.created_at = remote.created_at
                if remote.is_terminal:
                    self._end(followed)
                if not snapshot_of(remote.state).tells_more_than(followed.seen):
                    return False
            case RemoteGone():
                followed.missed += 1
                if followed.missed == 1:
                    # Once may be a moment's confusion; "lost" is a verdict for good.
                    return False
        if isinstance(remote, RemoteGone):
            self._end(followed)
        if followed.on_end is not None:
            if followed.ended:
                self.forget(followed.key)
                followed.on_end()
            return False
        followed.news = remote
        if followed.news_since is None:
            followed.news_since = asyncio.get_running_loop().time()
        return True

    def _end(self, followed: TrackedJob) -> None:
        if not followed.ended:
            followed.ended = True
            self.on_over(followed.key, followed.job_id)

    def _told(self, followed: TrackedJob) -> None:
        if followed.news_since is None or followed.news is not None:
            return
        if self._on_told is not None:
            self._on_told(asyncio.get_running_loop().time() - followed.news_since)
        followed.news_since = None

    def report_unclear(self, followed: TrackedJob, detail: str) -> bool:
        """Note an answer that does not say how the job stands; True where its object should say so now.

        Not for the first one, which a moment's confusion may have caused, and for none while the object waits
        for another reason.
        """
        followed.unclear += 1
        if followed.unclear < UNCLEAR_ANSWERS or followed.on_end is not None:
            return False
        if followed.seen.state not in {"active", "queued", "out of sight"}:
            return False
        followed.news = RemoteUnclear(detail)
        if followed.news_since is None:
            followed.news_since = asyncio.get_running_loop().time()
        return True

    def take_news(self, key: ObjectKey, job_id: str) -> RemoteJob | RemoteGone | RemoteUnclear | None:
        """Return the last change of this remote job that was not taken yet."""
        followed = self._by_key.get(key)
        if followed is None or followed.job_id != job_id:
            return None
        news, followed.news = followed.news, None
        if news is not None:
            self._changed.set()
        return news


def _is_over(remote: RemoteJob | RemoteGone) -> bool:
    return isinstance(remote, RemoteGone) or remote.is_terminal
