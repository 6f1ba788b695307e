"""`kubectl nemoeval wait`: polls runs until each has ended, and prints how."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

from nemo_eval_operator.evaluator.model import one_line
from nemo_eval_operator.kube import KubeError, KubeUnavailable

from .access import Cluster, explain
from .exit_codes import CommandFailed, ExitCode
from .outcome import Ending, ending_of, overall, stage_of

__all__ = ["wait_for"]

FIRST_POLL_SECONDS: Final = 1.0

MAX_POLL_SECONDS: Final = 5.0
"""Seconds between two reads of a run that has not changed for a while: one request per run."""

SLOWDOWN: Final = 1.3

MAX_FAILURES: Final = 20
"""Reads in succession that the API server may leave unanswered: more than a minute and a half."""

MAX_MESSAGE_CHARACTERS: Final = 500


async def wait_for(
    cluster: Cluster,
    names: Sequence[str],
    *,
    seconds: float | None,
    report: Callable[[str], None],
    conclude: Callable[[str], None],
) -> ExitCode:
    """Return the exit code of all runs when each has ended, or after so many `seconds` (None: no limit).

    `report` is given a line for each change of a run, `conclude` one for its end.
    """
    codes: list[ExitCode] = []

    async def one(name: str) -> None:
        ending = await _ending_within(cluster, name, seconds=seconds, report=report)
        message = one_line(ending.message, MAX_MESSAGE_CHARACTERS)
        conclude(f"{name}: {ending.word}{': ' if message else ''}{message}")
        codes.append(ending.code)

    async with asyncio.TaskGroup() as group:
        for name in dict.fromkeys(names):
            group.create_task(one(name))
    return overall(codes)


async def _ending_within(
    cluster: Cluster, name: str, *, seconds: float | None, report: Callable[[str], None]
) -> Ending:
    stages = [""]

    def changed(stage: str) -> None:
        stages.append(stage)
        report(f"{name}: {stage}")

    try:
        async with asyncio.timeout(seconds):
            return await _ending(cluster, name, changed)
    except TimeoutError:
        advice = f"find out why with `kubectl nemoeval why {name} -n {cluster.namespace}`"
        return Ending(ExitCode.TIMED_OUT, "timed out", "; ".join(filter(None, (stages[-1], advice))))
    except CommandFailed as failed:
        return Ending(failed.code, "error", str(failed))


async def _ending(cluster: Cluster, name: str, changed: Callable[[str], None]) -> Ending:
    stage, pause, failures = "", FIRST_POLL_SECONDS, 0
    while True:
        try:
            job = await cluster.job(name)
        except KubeUnavailable as error:
            failures += 1
            if failures >= MAX_FAILURES:
                raise explain(error) from error
        except KubeError as error:
            raise explain(error) from error
        else:
            failures = 0
            if (ending := ending_of(job)) is not None:
                return ending
            if (current := stage_of(job)) != stage:
                stage, pause = current, FIRST_POLL_SECONDS
                changed(stage)
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        pause = min(pause * SLOWDOWN, MAX_POLL_SECONDS)
