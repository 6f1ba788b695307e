"""One list of jobs: all its pages, each job once, within bounds of number and time.

Servers may ignore the order or the page number, and jobs are created while pages are read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from nemo_eval_operator.evaluator.model import Ambiguous, Malformed, Oversized

from .answers import Answer
from .limits import MAX_STALE_PAGES
from .paths import JOBS
from .reading import ListedJob, Page, page_of

__all__ = ["listed_jobs"]

MAX_PAGES: Final = 10_000
"""Where a list is given up as endless."""

MAX_JOBS: Final = 100_000
"""In one list; the id of each is kept until the list ends."""

MAX_LIST_SECONDS: Final = 900.0
"""For all pages of a list together, in whatever sizes and whatever one call may take. Workers wait for
look-ups, which read two lists (`app.RECONCILIATION_SECONDS`)."""

SLICE_JOBS: Final = 500
"""Of a page that are taken before others run: about 10 ms where each of them is read."""

Send = Callable[[dict[str, str], float], Awaitable[Answer]]
"""Sends the request for a page. Takes what is added to the query, and the seconds that it may take."""


async def listed_jobs(
    send: Send,
    *,
    page_sizes: Sequence[int],
    wanted: Callable[[dict[str, str]], bool],
    on_page: Callable[[], None],
) -> AsyncIterator[ListedJob]:
    """All jobs of the list (`EvaluatorClient.list_jobs`)."""
    yielded: set[str] = set()
    give_up_at = time.monotonic() + MAX_LIST_SECONDS
    for page_size in page_sizes:
        seen: set[str] = set()
        try:
            async for page in _pages(send, page_size, seen, give_up_at):
                on_page()
                if any(map(wanted, page.unusable)):
                    raise Malformed(f"GET {JOBS}: the job that was looked for has no usable id")
                for number, job in enumerate(page.jobs, start=1):
                    if job.id not in yielded:
                        yield job
                    if number % SLICE_JOBS == 0:
                        await asyncio.sleep(0)
        except Oversized:
            # Each job brings its config and its rows along: fewer of them at once.
            if page_size == page_sizes[-1]:
                raise
            yielded |= seen
        else:
            return


async def _pages(send: Send, page_size: int, seen: set[str], give_up_at: float) -> AsyncIterator[Page]:
    """The pages of a list, with those jobs alone that are not `seen` yet; they are added to it."""
    stale = 0
    for number in range(1, MAX_PAGES + 1):
        left = give_up_at - time.monotonic()
        if left <= 0:
            raise Ambiguous(
                f"GET {JOBS}: not read to the end within {MAX_LIST_SECONDS:.0f}s: {number - 1} pages"
            )
        page = page_of(await send({"page_size": str(page_size), "page": str(number)}, left))
        last = page.total_pages
        if last is not None and last > MAX_PAGES:
            raise Malformed(f"GET {JOBS}: {last:,} pages, at most {MAX_PAGES:,} are read")
        fresh = {job.id: job for job in page.jobs if job.id not in seen}
        seen.update(fresh)
        if len(seen) > MAX_JOBS:
            raise Malformed(f"GET {JOBS}: more than {MAX_JOBS:,} jobs")
        yield replace(page, jobs=[*fresh.values()])
        # A page of known jobs is no end where the server counts: new ones may have pushed them on.
        if not fresh if last is None else number >= last:
            return
        stale = 0 if fresh else stale + 1
        if stale >= MAX_STALE_PAGES:
            raise Malformed(f"GET {JOBS}: {stale} pages in a row without another job, of {last}")
    raise Malformed(f"GET {JOBS}: still new jobs after {MAX_PAGES} pages")
