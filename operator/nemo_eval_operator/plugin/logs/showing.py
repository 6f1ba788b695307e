"""Prints the log of a run's remote job once, or as it grows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from time import monotonic
from typing import Final

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    EvaluatorError,
    KnownSecrets,
    Malformed,
    Missing,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.kube import KubeUnavailable
from nemo_eval_operator.plugin.access import Cluster
from nemo_eval_operator.plugin.exit_codes import CommandFailed, ExitCode
from nemo_eval_operator.plugin.outcome import awaits_rerun, stage_of
from nemo_eval_operator.plugin.retries import RETRY_SECONDS, Retries
from nemo_eval_operator.resources import NemoEvalJob

from .archive import LogUnreadable, NewLines, log_files
from .way import Way, port_forward_hint, way_to

__all__ = ["show_log"]

POLL_SECONDS: Final = 2.0
"""Pause between two reads of a log that is followed."""

POLL_SHARE: Final = 10
"""The pause is at least this many times as long as the read before it: the API gives a whole log only."""

MAX_FAILURES: Final = 20
"""Reads in succession that may fail while a log is followed."""

DEADLINE_SECONDS: Final = 60.0

Write = Callable[[str], None]


async def show_log(
    cluster: Cluster,
    name: str,
    *,
    follow: bool,
    tail: int | None,
    evaluator_url: str | None,
    write: Write,
    note: Write,
) -> ExitCode:
    """Give each line of the log to `write`, and what is left out to `note`. Raises CommandFailed, KubeError.

    `follow`: until the run has ended. A further attempt is followed too.
    """
    job = await _submitted(cluster, name, follow=follow, note=note)
    while True:
        job_id = job.status.job_id or ""
        way = await way_to(cluster, job, evaluator_url)
        next_job = await _show_attempt(cluster, job, way, follow=follow, tail=tail, write=write, note=note)
        if next_job is None:
            return ExitCode.PASSED
        # The next attempt may not be submitted yet.
        job = next_job if next_job.status.job_id else await _submitted(cluster, name, follow=True, note=note)
        note(f"{name}: remote job {job_id} is followed by {job.status.job_id}")


async def _submitted(cluster: Cluster, name: str, *, follow: bool, note: Write) -> NemoEvalJob:
    job = await cluster.job(name)
    if job.status.job_id is None and follow and job.status.completion_time is None:
        note(f"{name}: {stage_of(job)}; waiting for the remote job")
    tries = Retries(note, seconds=RETRY_SECONDS)
    while job.status.job_id is None:
        if not follow or job.status.completion_time is not None:
            raise CommandFailed(
                f"{name} has no remote job: {stage_of(job)}. See "
                f"`kubectl nemoeval why {name} -n {cluster.namespace}`"
            )
        await _pause(0)
        job = await _read_again(cluster, job, tries)
    return job


async def _show_attempt(
    cluster: Cluster,
    job: NemoEvalJob,
    way: Way,
    *,
    follow: bool,
    tail: int | None,
    write: Write,
    note: Write,
) -> NemoEvalJob | None:
    """Show the log of one remote job; returns the run with its next one, None where there is none."""
    job_id, failures = job.status.job_id or "", 0
    known = KnownSecrets(way.access.secrets)
    # The evaluator's log is shown even while the Kubernetes API is away.
    tries = Retries(note, seconds=None)
    new, noted = NewLines(known.of(None).hide), set[str]()
    async with way.client() as http:
        client = EvaluatorClient(http, deadline=DEADLINE_SECONDS, known=known)
        while True:
            started = monotonic()
            # Read before the log: what is written until then is in it.
            has_ended = _has_ended(job) or job.status.job_id != job_id
            try:
                files, notes = await asyncio.to_thread(log_files, await client.download_logs(job_id))
                failures = 0
            except (EvaluatorError, LogUnreadable) as error:
                failures += 1
                if not follow or failures >= MAX_FAILURES or isinstance(error, Rejected | Unauthorized):
                    raise _explained(error, way, job_id) from error
            else:
                for line in new.of(files, complete=has_ended or not follow, tail=tail):
                    write(line)
                for text in notes:
                    if text not in noted:
                        note(text)
                noted |= {*notes}
                if has_ended or not follow:
                    return job if follow and job.status.job_id != job_id else None
            await _pause(monotonic() - started)
            job = await _read_again(cluster, job, tries)


def _has_ended(job: NemoEvalJob) -> bool:
    return job.status.completion_time is not None and not awaits_rerun(job)


async def _read_again(cluster: Cluster, job: NemoEvalJob, tries: Retries) -> NemoEvalJob:
    try:
        found = await cluster.job(job.metadata.name)
    except KubeUnavailable as error:
        tries.failed(error)
        return job
    tries.answered()
    return found


async def _pause(taken: float) -> None:
    await asyncio.sleep(max(POLL_SECONDS, POLL_SHARE * taken) * random.uniform(0.8, 1.2))  # noqa: S311 - jitter


def _explained(error: EvaluatorError | LogUnreadable, way: Way, job_id: str) -> CommandFailed:
    match error:
        case LogUnreadable():
            return CommandFailed(f"the log of remote job {job_id} cannot be shown: {error}")
        case Missing():
            return CommandFailed(f"the evaluator has no log of remote job {job_id}: {error}")
        case Unsupported():
            return CommandFailed(f"this evaluator offers no logs: {error}")
        case Unauthorized():
            return CommandFailed(f"{error}. Check the Secrets of the connection", ExitCode.NOT_FOUND)
        case Malformed():
            return CommandFailed(str(error))
        case Unavailable() | Ambiguous():
            hint = port_forward_hint(way.url) or "If only pods reach it, forward a port: see --evaluator-url"
            return CommandFailed(f"{error}. {hint}")
        case _:
            return CommandFailed(str(error))
