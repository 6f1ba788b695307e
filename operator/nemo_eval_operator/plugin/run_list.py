"""`kubectl nemoeval get`: reads runs once, or again and again until interrupted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from nemo_eval_operator.kube import KubeUnavailable, Outdated
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.resources import EVALJOB_PLURAL, NemoEvalJob

from .access import Cluster, explain
from .exit_codes import CommandFailed, ExitCode
from .run_rows import RunRow, rows_of

__all__ = ["ChangedLines", "read_rows", "watch_rows"]

POLL_SECONDS: Final = 2.0
"""Pause between two reads while watching, so that a table is drawn at most once in 2s."""

POLL_SHARE: Final = 10
"""The pause is at least this many times as long as the read before it: a list may be long."""

MAX_FAILURES: Final = 20
"""Reads in succession that may fail while watching."""


async def read_rows(cluster: Cluster, name: str | None, *, all_namespaces: bool) -> list[RunRow]:
    """Return a row for each run, or that of the named one. Raises CommandFailed, KubeError."""
    now = datetime.now(UTC)
    if name is not None:
        return rows_of([await cluster.job(name)], now)
    namespace = None if all_namespaces else cluster.namespace
    return rows_of(await _listed(cluster, namespace), now)


async def _listed(cluster: Cluster, namespace: str | None) -> list[NemoEvalJob]:
    try:
        found = [read_job(one)[0] async for one in cluster.kube.list_all(EVALJOB_PLURAL, namespace)]
    except Outdated:
        # The rest of the list was compacted while it was read.
        found = [read_job(one)[0] async for one in cluster.kube.list_all(EVALJOB_PLURAL, namespace)]
    if not found and not await cluster.kube.serves(EVALJOB_PLURAL):
        raise CommandFailed(
            "the cluster does not serve NemoEvalJobs: install the CRDs of nemo-eval-operator",
            ExitCode.NOT_FOUND,
        )
    return found


async def watch_rows(
    read: Callable[[], Awaitable[list[RunRow]]], show: Callable[[Sequence[RunRow]], None]
) -> None:
    """Show the rows after each read, until cancelled. Raises CommandFailed, KubeError."""
    failures = 0
    while True:
        started = monotonic()
        try:
            rows = await read()
        except KubeUnavailable as error:
            failures += 1
            if failures >= MAX_FAILURES:
                raise explain(error) from error
        else:
            failures = 0
            show(rows)
        pause = max(POLL_SECONDS, POLL_SHARE * (monotonic() - started))
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter


class ChangedLines:
    """Prints a line for each run at first, and for each change after that."""

    def __init__(self, write: Callable[[str], None], *, namespaces: bool) -> None:
        self._write = write
        self._namespaces = namespaces
        self._shown: dict[str, tuple[str, str]] = {}
        """Name and last line, by uid."""

    def __call__(self, rows: Sequence[RunRow]) -> None:
        """Print what has changed since the last call."""
        for row in rows:
            name = f"{row.namespace}/{row.name}" if self._namespaces else row.name
            if self._shown.get(row.uid) != (name, line := _line(row)):
                self._shown[row.uid] = (name, line)
                self._write(f"{name}: {line}")
        for uid in self._shown.keys() - {row.uid for row in rows}:
            name, _ = self._shown.pop(uid)
            self._write(f"{name}: deleted")


def _line(row: RunRow) -> str:
    percent = f" {row.percent}%" if row.percent is not None else ""
    verdict = f", gate {row.verdict}" if row.verdict else ""
    score = f", {row.score}" if row.score else ""
    return f"{row.stage}{percent}{verdict}{score}"
