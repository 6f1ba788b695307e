"""`kubectl nemoeval run`: creates a run exactly once, and follows it."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import (
    KubeForbidden,
    KubeRefused,
    KubeUnavailable,
    Outdated,
)
from nemo_eval_operator.resources import NemoEvalJob

from .access import Cluster, explain
from .exit_codes import CommandFailed, ExitCode
from .new_run import CREATION_MARK, RunOptions, manifest_of, measuring_options, metadata_of, spec_of
from .output import can_redraw, console_for, live_on, write_note
from .prechecks import check_benchmark, check_run
from .retries import Retries
from .run_rows import row_of
from .run_table import RunTables
from .waiting import StageLines, wait_for

__all__ = ["create_run", "follow"]

MAX_REQUESTS: Final = 6
"""To create one run, those without an answer included: about half a minute."""

FIRST_PAUSE_SECONDS: Final = 1.0
"""Pause after the first request without an answer; each later one is twice as long."""


async def create_run(cluster: Cluster, options: RunOptions, *, report: Callable[[str], None]) -> str:
    """Create a run; returns its name. Raises CommandFailed.

    `report` is given a line for each warning, when answers fail and come again, and where the command is
    interrupted before an answer came.
    """
    metadata = metadata_of(options)
    like = None if options.like is None else await cluster.job(options.like)
    if options.benchmark is not None and like is None and options.model is None and options.target is None:
        await check_benchmark(cluster, options.benchmark)
    spec = spec_of(options, like)
    given = measuring_options(options)
    for warning in await check_run(cluster, spec, like=like, given=given):
        report(f"warning: {warning}")
    base = _base_of(spec, options)
    token = secrets.token_hex(16)
    tries, pause = Retries(report, seconds=None), FIRST_PAUSE_SECONDS
    name, manifest = manifest_of(spec, metadata, base=base, namespace=cluster.namespace, token=token)
    try:
        for left in reversed(range(MAX_REQUESTS)):
            try:
                is_created = await _is_created(cluster, name, token, manifest)
                tries.answered()
                if is_created:
                    return name
                # The name is another object's, so none of the requests has created this run.
                if options.name is not None:
                    raise CommandFailed(_taken(cluster, name), ExitCode.USAGE)
                name, manifest = manifest_of(
                    spec, metadata, base=base, namespace=cluster.namespace, token=token
                )
            except KubeUnavailable as error:
                if not left:
                    message = f"{explain(error)}. {_uncertain(cluster, name)}"
                    raise CommandFailed(message, ExitCode.UNAVAILABLE) from error
                tries.failed(error)
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
                pause *= 2
    except asyncio.CancelledError:
        report(_uncertain(cluster, name))
        raise
    raise CommandFailed(f"no free name was found for a run of {base}: try again")


def _base_of(spec: JsonObject, options: RunOptions) -> str:
    """Return the start of the run's name: the benchmark, or the run like which it is."""
    match spec:
        case {"benchmarkRef": {"name": str(name)}}:
            return name
        case _:
            return options.like or "run"


async def _is_created(cluster: Cluster, name: str, token: str, manifest: JsonObject) -> bool:
    """Return whether the run exists now; False: another object has its name.

    A request that is repeated is harmless, since it names the object. Raises CommandFailed, KubeUnavailable.
    """
    key = cluster.key(name)
    try:
        await cluster.user.create(key, manifest)
    except Outdated:
        pass
    except KubeForbidden as error:
        raise explain(error) from error
    except KubeRefused as error:
        raise CommandFailed(str(explain(error)), ExitCode.USAGE) from error
    else:
        return True
    try:
        found, _ = await cluster.kube.read(key)
    except KubeForbidden as error:
        message = f"{name} exists, and whether it is this run is not known: {explain(error)}"
        raise CommandFailed(message, ExitCode.NOT_FOUND) from error
    match found:
        case None:
            # It may have been this run, which was deleted since: another one is not started in its place.
            raise CommandFailed(
                f"{name} was deleted or refused by a conflict while it was created: look before trying again",
                ExitCode.NOT_FOUND,
            )
        case {"metadata": {"annotations": {**annotations}}}:
            return annotations.get(CREATION_MARK) == token
        case _:
            return False


def _taken(cluster: Cluster, name: str) -> str:
    return (
        f"NemoEvalJob {name} exists already in namespace {cluster.namespace}: choose another --name, or run "
        f"it again with `kubectl nemoeval rerun {name} -n {cluster.namespace}`"
    )


def _uncertain(cluster: Cluster, name: str) -> str:
    return (
        f"Whether run {name} was created is not known: look with "
        f"`kubectl nemoeval get {name} -n {cluster.namespace}` before you start another one"
    )


async def follow(
    cluster: Cluster,
    name: str,
    *,
    seconds: float | None,
    report: Callable[[str], None],
    conclude: Callable[[str], None],
    no_color: bool = False,
) -> ExitCode:
    """Show the run until it has ended, or so many `seconds`; returns its exit code.

    On a terminal one row is drawn again at each read; elsewhere `report` is given a line for each change.
    """
    try:
        if can_redraw(console := console_for(no_color=no_color)):
            tables = RunTables(console)
            with live_on(console) as live:

                def draw(job: NemoEvalJob) -> None:
                    rows = [row_of(job, datetime.now(UTC))]
                    live.update(tables.of(rows), refresh=True)

                lines: list[str] = []
                advice: list[str] = []
                code = await wait_for(
                    cluster,
                    [name],
                    seconds=seconds,
                    seen=draw,
                    conclude=lines.append,
                    advise=advice.append,
                    note=write_note,
                )
            for line in lines:
                conclude(line)
            for line in advice:
                report(line)
            return code
        seen = StageLines(report, estimates=True)
        return await wait_for(
            cluster, [name], seconds=seconds, seen=seen, conclude=conclude, advise=report, note=report
        )
    except asyncio.CancelledError:
        where = f"-n {cluster.namespace}"
        report(
            f"{name} goes on. Follow it with `kubectl nemoeval wait {name} {where}`, "
            f"stop it with `kubectl nemoeval cancel {name} {where}`"
        )
        raise
