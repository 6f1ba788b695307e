"""`kubectl nemoeval get`: reads runs once, or again and again until interrupted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from nemo_eval_operator.kube import KubeUnavailable, Outdated
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.resources import EVALJOB_PLURAL, NemoEvalJob

from . import retries
from .access import Cluster
from .exit_codes import CommandFailed, ExitCode
from .run_rows import RunRow, rows_of
from .score_names import score_lines

__all__ = ["ChangedLines", "Selection", "read_rows", "watch_rows"]

POLL_SECONDS: Final = 2.0
"""Pause between two reads while watching, so that a table is drawn at most once in 2s."""

POLL_SHARE: Final = 10
"""The pause is at least this many times as long as the read before it: a list may be long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which runs are listed: those that are named, else all that the label selector matches."""

    names: tuple[str, ...] = ()
    selector: str = ""
    all_namespaces: bool = False

    def nothing_in(self, namespace: str) -> str:
        """Return what to say where there are none."""
        where = "the cluster" if self.all_namespaces else f"namespace {namespace}"
        if self.selector:
            return f"No runs in {where} match {self.selector}"
        return f"No runs in {where}: start one with `kubectl nemoeval run`"


async def read_rows(cluster: Cluster, wanted: Selection) -> list[RunRow]:
    """Return a row for each run. Raises CommandFailed where a named one does not exist, KubeError."""
    now = datetime.now(UTC)
    if wanted.names:
        return rows_of(await asyncio.gather(*map(cluster.job, dict.fromkeys(wanted.names))), now)
    namespace = None if wanted.all_namespaces else cluster.namespace
    return rows_of(await _listed(cluster, namespace, wanted.selector), now)


async def _listed(cluster: Cluster, namespace: str | None, selector: str) -> list[NemoEvalJob]:
    async def read() -> list[NemoEvalJob]:
        documents = cluster.kube.list_all(EVALJOB_PLURAL, namespace, selector=selector)
        return [read_job(one)[0] async for one in documents]

    try:
        found = await read()
    except Outdated:
        # The rest of the list was compacted while it was read.
        found = await read()
    if not found and not await cluster.kube.serves(EVALJOB_PLURAL):
        raise CommandFailed(
            "the cluster does not serve NemoEvalJobs: install the CRDs of nemo-eval-operator",
            ExitCode.NOT_FOUND,
        )
    if not found and namespace is not None and await cluster.lacks_namespace():
        raise cluster.no_namespace()
    return found


async def watch_rows(
    read: Callable[[], Awaitable[list[RunRow]]],
    show: Callable[[Sequence[RunRow]], None],
    nothing: Callable[[], None],
    note: Callable[[str], None],
) -> None:
    """Show the rows after each read, until cancelled. Raises CommandFailed, KubeError.

    `nothing` is called once if there are none at first. `note` is given a line when the Kubernetes API stops
    answering, and one when it answers again.
    """
    tries = retries.Retries(note, seconds=retries.RETRY_SECONDS)
    is_first, has_shown = True, False
    while True:
        started = monotonic()
        try:
            rows = await read()
        except KubeUnavailable as error:
            tries.failed(error)
        else:
            tries.answered()
            has_shown = has_shown or bool(rows)
            if has_shown:
                show(rows)
            elif is_first:
                nothing()
            is_first = False
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
    score = f", {score_lines(row.score, row.limit)[0]}" if row.score else ""
    return f"{row.stage}{percent}{verdict}{score}"
