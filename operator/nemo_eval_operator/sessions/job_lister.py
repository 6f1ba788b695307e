"""Lists of an evaluator's live jobs, by which the poller reads many jobs with few requests.

The lister adapts to the server: it takes smaller pages where large ones are refused, reads one list of all
jobs where filter[status] is ignored, and limits lists by creation time, corrected by the observed difference
of clocks. It tries full pages and filters again after a while. It does not decide when jobs are due.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.evaluator.http import EvaluatorClient, ListedJob
from nemo_eval_operator.evaluator.model import (
    LIVE_STATES,
    EvaluatorError,
    Malformed,
    Oversized,
    Rejected,
    RemoteJob,
)
from nemo_eval_operator.runtime.heartbeats import Heartbeat

from .tracker import JobTracker, TrackedJob

__all__ = ["FALLBACK_SECONDS", "JobLister"]

logger = logging.getLogger(__name__)

PAGE_SIZES: Final = (1000, 100, 10)
"""Jobs per page. The next size is used after the evaluator refused a page, or a page was too large."""

FEW_JOBS: Final = 8
"""Number of due jobs up to which single GETs are cheaper than one list for each live state."""

CLOCK_SLACK: Final = timedelta(seconds=10)
"""Tolerance for clocks that drift apart, and for times in status, which have whole seconds."""

MAX_BEHIND: Final = timedelta(hours=25)
"""Largest difference of clocks that is assumed: a time without a zone may be of any zone, plus an hour.

A job that a list misses because of a larger difference costs a GET."""

FALLBACK_SECONDS: Final = 600.0
"""Seconds after which full pages and filters are tried again: the server may have been repaired."""

SIGNS_OF_NO_FILTER: Final = 2
"""Poll cycles in a row that show an ended job on a list of live ones. Once may be a race in the server."""


class JobLister:
    """Lists the live jobs of one evaluator, and passes each that is tracked to `report`, with the time."""

    def __init__(
        self,
        *,
        evaluator: EvaluatorClient,
        tracker: JobTracker,
        heartbeat: Heartbeat,
        report: Callable[[TrackedJob, ListedJob, float], None],
        fallback: float = FALLBACK_SECONDS,
    ) -> None:
        self._evaluator = evaluator
        self._tracker = tracker
        self._heartbeat = heartbeat
        self._report = report
        self._fallback = fallback
        self._page_size = PAGE_SIZES[0]
        self._live_jobs = 0
        """Jobs on the lists of live states when those were last read to the end."""
        self._filters = True
        """Whether the evaluator applies filter[status]."""
        self._unfiltered = 0
        """Poll cycles in a row in which it seemed not to."""
        self._restore_at = 0.0
        """When to try full pages and filters again, by the event loop's clock."""
        self._behind: timedelta | None = None
        """Largest observed delay of the evaluator's clock behind the operator's."""

    def is_cheaper(self, due: int) -> bool:
        """Return whether the lists take fewer requests than a GET for each of `due` jobs.

        The number of tracked jobs is used until the lists have been read to the end once.
        """
        lists = len(LIVE_STATES) if self._filters else 1
        jobs = max(self._live_jobs, len(self._tracker))
        return due > max(FEW_JOBS, lists + jobs // self._page_size)

    async def list_live(self, due: Sequence[TrackedJob]) -> set[str]:
        """Report all live jobs that are tracked, due or not, as each page arrives; return the listed ids.

        If this server's lists cannot be used, only the ids read before that are returned.
        """
        oldest = self._oldest(due)
        listed: set[str] = set()
        while True:
            try:
                await self._read_lists(oldest, listed)
            except (Oversized, Rejected) as error:
                if self._take_smaller_pages(error):
                    continue
                return listed
            except Malformed as error:
                logger.warning("jobs are asked for one by one, their list cannot be used: %s", error)
                return listed
            if oldest is None:
                self._live_jobs = len(listed)
            return listed

    async def _read_lists(self, oldest: datetime | None, listed: set[str]) -> None:
        """Report the listed jobs that are tracked, and add the ids of all to `listed`."""
        followed: dict[str, list[TrackedJob]] = {}
        for job in self._tracker:
            followed.setdefault(job.job_id, []).append(job)
        ended = False
        # Once: in Python 3.11 it is a system call, which for each job would be a tenth of the CPU.
        clock = asyncio.get_running_loop().time
        # A job that is being cancelled is on none of these lists, and asked for by itself.
        for state in LIVE_STATES:
            self._heartbeat.beat()
            async for remote in self._list(oldest, state):
                listed.add(remote.id)
                for job in followed.get(remote.id, ()):
                    self._report(job, remote, clock())
                ended = ended or remote.state.is_terminal
            if not self._filters:
                return
            if ended and self._unfiltered + 1 >= SIGNS_OF_NO_FILTER:
                break
        self._judge_filters(heeded=not ended)

    def _list(self, created_since: datetime | None, state: str) -> AsyncIterator[ListedJob]:
        status = state if self._filters else None
        return self._evaluator.list_jobs(
            created_since=created_since,
            status=status,
            page_sizes=(self._page_size,),
            on_page=self._heartbeat.beat,
        )

    def _take_smaller_pages(self, error: EvaluatorError) -> bool:
        """Return False if there is no smaller page size: jobs are then read one by one."""
        smaller = next((size for size in PAGE_SIZES if size < self._page_size), None)
        if smaller is None:
            return False
        logger.warning("no pages of %d jobs, so pages of %d: %s", self._page_size, smaller, error)
        self._page_size = smaller
        self._restore_at = asyncio.get_running_loop().time() + self._fallback
        return True

    def _judge_filters(self, *, heeded: bool) -> None:
        self._unfiltered = 0 if heeded else self._unfiltered + 1
        if self._unfiltered >= SIGNS_OF_NO_FILTER:
            logger.warning("the evaluator ignores filter[status]: its list of all jobs is read instead")
            self._filters = False
            self._restore_at = asyncio.get_running_loop().time() + self._fallback

    def restore(self) -> None:
        """Try full pages and filters again once `fallback` seconds have passed."""
        if asyncio.get_running_loop().time() >= self._restore_at:
            self._page_size, self._filters = PAGE_SIZES[0], True

    def _oldest(self, due: Sequence[TrackedJob]) -> datetime | None:
        """Return a time, by the evaluator's clock, before which none of `due` was created; None if unknown.

        For a job that was not read yet it is estimated from how far that clock was behind for others. A wrong
        estimate costs a GET for the job that the list misses.
        """
        if self._behind is None and any(followed.created_at is None for followed in due):
            return None
        behind = (self._behind or timedelta()) + CLOCK_SLACK
        return min(followed.created_at or followed.since - behind for followed in due)

    def observe_clock(self, tracked: TrackedJob, remote: RemoteJob) -> None:
        """Compare the evaluator's clock with the operator's by a job that was created through both."""
        if remote.created_at is not None:
            behind = min(tracked.since - remote.created_at, MAX_BEHIND)
            self._behind = behind if self._behind is None else max(self._behind, behind)
