"""`kubectl nemoeval cancel`, `suspend`, `resume` and `rerun`: edit runs as they were read, and no others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.kube import KubeError, KubeUnavailable, Outdated

from .access import Cluster, explain
from .exit_codes import CommandFailed, ExitCode
from .outcome import overall
from .steering import Action, Refusal, change_of, is_applied

__all__ = ["steer"]

MAX_TRIES: Final = 8
"""Edits of one run. Its status is written about once in 2s while it runs, which outdates an edit."""

FIRST_PAUSE_SECONDS: Final = 0.1
"""Pause after the first edit that was outdated or not answered; each later one is twice as long."""


async def steer(
    cluster: Cluster,
    action: Action,
    names: Sequence[str],
    *,
    done: Callable[[str], None],
    refused: Callable[[str], None],
) -> ExitCode:
    """Edit each run; returns the exit code of all. A line for each is given to `done` or `refused`."""
    codes = [ExitCode.PASSED]
    for name in dict.fromkeys(names):
        try:
            done(f"{name}: {await _steered(cluster, action, name)}")
        except CommandFailed as failed:
            codes.append(failed.code)
            refused(f"{name}: {failed.about(name)}")
        except KubeError as error:
            explained = explain(error)
            codes.append(explained.code)
            refused(f"{name}: {explained}")
    return overall(codes)


async def _steered(cluster: Cluster, action: Action, name: str) -> str:
    """Edit one run; returns what was done. Raises CommandFailed, KubeError."""
    # One value for all tries: an edit that is repeated after a lost answer requests no second attempt.
    value = datetime.now(UTC).isoformat()
    pause, uid, sent = FIRST_PAUSE_SECONDS, None, None
    for left in reversed(range(MAX_TRIES)):
        try:
            job = await cluster.job(name)
            uid = uid or job.metadata.uid
            if job.metadata.uid != uid:
                raise CommandFailed("was deleted and created again, and is left alone", ExitCode.NOT_FOUND)
            if sent is not None and is_applied(sent.patch, job.to_manifest()):
                return sent.message
            change = change_of(action, job, value)
            if isinstance(change, Refusal):
                raise CommandFailed(change.message)
            sent = change
            await cluster.user.edit(cluster.key(name), job.metadata, change.patch)
        except (Outdated, KubeUnavailable):
            if not left:
                raise
        else:
            return change.message
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        pause *= 2
    raise AssertionError("the last try returns or raises")
