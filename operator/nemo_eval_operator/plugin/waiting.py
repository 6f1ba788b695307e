"""`kubectl nemoeval wait`: polls runs until each has ended, and prints how."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.clock import duration_text
from nemo_eval_operator.kube import KubeError, KubeUnavailable
from nemo_eval_operator.resources import NemoEvalJob

from . import retries
from .access import Cluster, explain
from .exit_codes import CommandFailed, ExitCode
from .outcome import Ending, ending_of, overall, stage_of, time_left
from .screen import clean
from .suggestions import after_ending

__all__ = ["StageLines", "wait_for"]

FIRST_POLL_SECONDS: Final = 1.0

MAX_POLL_SECONDS: Final = 5.0
"""Seconds between two reads of a run that has not changed for a while: one request per run."""

SLOWDOWN: Final = 1.3

MAX_MESSAGE_CHARACTERS: Final = 500


class StageLines:
    """Writes a line for each change of where a run stands, until it has ended."""

    def __init__(self, write: Callable[[str], None], *, estimates: bool = False) -> None:
        self._write = write
        self._estimates = estimates
        """Whether lines name the time left."""
        self._stages: dict[str, str] = {}

    def __call__(self, job: NemoEvalJob) -> None:
        """Write what has changed since the last call."""
        name, stage = job.metadata.name, stage_of(job)
        if ending_of(job) is not None or self._stages.get(name) == stage:
            return
        self._stages[name] = stage
        left = time_left(job, datetime.now(UTC)) if self._estimates else None
        self._write(f"{name}: {stage}" + (f", about {duration_text(left)} left" if left else ""))


async def wait_for(
    cluster: Cluster,
    names: Sequence[str],
    *,
    seconds: float | None,
    seen: Callable[[NemoEvalJob], None],
    conclude: Callable[[str], None],
    advise: Callable[[str], None],
    note: Callable[[str], None],
) -> ExitCode:
    """Return the exit code of all runs when each has ended, or after so many `seconds` (None: no limit).

    `seen` is given each run as often as it is read, `conclude` a line for its end, and `advise` the commands
    that show why it has not ended as it should. `note` is given a line when the Kubernetes API stops
    answering, and one when it answers again.
    """
    tries = retries.Retries(note, seconds=retries.RETRY_SECONDS)
    codes: list[ExitCode] = []

    async def one(name: str) -> None:
        last: list[NemoEvalJob] = []

        def read(job: NemoEvalJob) -> None:
            last[:] = [job]
            seen(job)

        ending = await _ending_within(cluster, name, tries, seconds=seconds, seen=read)
        tries.ended(name)
        message = clean(ending.message, MAX_MESSAGE_CHARACTERS)
        conclude(f"{name}: {ending.word}{': ' if message else ''}{message}")
        for job in last:
            for command in after_ending(job):
                advise(f"{name}: next: {command}")
        codes.append(ending.code)

    async with asyncio.TaskGroup() as group:
        for name in dict.fromkeys(names):
            group.create_task(one(name))
    return overall(codes)


async def _ending_within(
    cluster: Cluster,
    name: str,
    tries: retries.Retries,
    *,
    seconds: float | None,
    seen: Callable[[NemoEvalJob], None],
) -> Ending:
    stage = ""

    def read(job: NemoEvalJob) -> None:
        nonlocal stage
        stage = stage_of(job)
        seen(job)

    try:
        async with asyncio.timeout(seconds):
            return await _ending(cluster, name, tries, read)
    except TimeoutError:
        advice = f"find out why with `kubectl nemoeval why {name} -n {cluster.namespace}`"
        return Ending(ExitCode.TIMED_OUT, "timed out", "; ".join(filter(None, (stage, advice))))
    except CommandFailed as failed:
        return Ending(failed.code, "error", failed.about(name))


async def _ending(
    cluster: Cluster, name: str, tries: retries.Retries, seen: Callable[[NemoEvalJob], None]
) -> Ending:
    stage, pause = "", FIRST_POLL_SECONDS
    while True:
        try:
            job = await cluster.job(name)
        except KubeUnavailable as error:
            tries.failed(error, name)
        except KubeError as error:
            raise explain(error) from error
        else:
            tries.answered(name)
            seen(job)
            if (ending := ending_of(job)) is not None:
                return ending
            if (current := stage_of(job)) != stage:
                stage, pause = current, FIRST_POLL_SECONDS
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        pause = min(pause * SLOWDOWN, MAX_POLL_SECONDS)
