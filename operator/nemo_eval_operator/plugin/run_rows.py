"""One row for each run, as `get` shows it: pure, from objects to values and their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import duration_text
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import NemoEvalJob

from .exit_codes import ExitCode
from .outcome import Ending, awaits_rerun, ending_of, reason_in, stage_of, time_left
from .screen import clean

__all__ = ["RunRow", "age_text", "row_of", "rows_of"]

MAX_MESSAGE_CHARACTERS: Final = 2_000

DAYS_FROM: Final = timedelta(days=2)
HOURS_FROM, HOURS_AND_MINUTES_FROM, MINUTES_FROM = 8, 3, 10
"""Ages from which only days, only hours, hours and minutes, and only minutes are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """What is shown of one run. Texts have no control characters."""

    namespace: str
    name: str
    uid: str
    phase: str
    reason: str
    stage: str
    """The phase with its reason or percentage, or how the run ended."""
    ending: Ending | None
    cancelled_by_spec: bool
    """Whether it ended as its user asked, not by another client of the evaluator."""
    percent: int | None
    left: timedelta | None
    verdict: str
    score: str
    limit_samples: int | None
    """At most so many samples of each task, by spec.limitSamples."""
    model: str
    benchmark: str
    attempt: int | None
    job_id: str
    duration: str
    message: str
    age: timedelta | None
    scores: tuple[JsonObject, ...]

    @property
    def rank(self) -> int:
        """Return the place in the order: what needs a person, what runs, what waits, and what is over."""
        if self.ending is not None:
            is_over = self.ending.code is ExitCode.PASSED or self.cancelled_by_spec
            return 3 if is_over else 0
        return 2 if self.phase in {"", "Pending", "Suspended"} else 1

    @property
    def limit(self) -> str:
        """Return a note beside the scores of a run that is limited to a few samples; else nothing."""
        if self.limit_samples is None or not self.score:
            return ""
        return f"({self.limit_samples} sample{'' if self.limit_samples == 1 else 's'})"

    def as_json(self) -> JsonObject:
        """Return the row for programs; a field that is not known is null."""
        return self.as_cells() | {"scores": [*self.scores]}

    def as_cells(self) -> JsonObject:
        """Return the values that fit into a cell of a spreadsheet: `score` has the main scores as text."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
            "phase": self.phase or None,
            "reason": self.reason or None,
            "outcome": self.ending.word if self.ending else None,
            "exitCode": int(self.ending.code) if self.ending else None,
            "percent": self.percent,
            "secondsLeft": int(self.left.total_seconds()) if self.left else None,
            "verdict": self.verdict or None,
            "score": self.score or None,
            "limitSamples": self.limit_samples,
            "model": self.model or None,
            "benchmark": self.benchmark or None,
            "attempt": self.attempt,
            "jobId": self.job_id or None,
            "duration": self.duration or None,
            "message": self.message or None,
        }


def rows_of(jobs: Iterable[NemoEvalJob], now: datetime) -> list[RunRow]:
    """Return the rows, those that are not ready first; of equal ones the newest first."""
    rows = [row_of(job, now) for job in jobs]
    return sorted(rows, key=lambda row: (row.rank, row.age or timedelta(), row.namespace, row.name))


def row_of(job: NemoEvalJob, now: datetime) -> RunRow:
    """Return the row of one run."""
    meta, status, ending = job.metadata, job.status, ending_of(job)
    is_going_on = ending is None and not awaits_rerun(job)
    measured = status.benchmark.name if status.benchmark else None
    benchmark = job.spec.benchmark_ref.name if job.spec.benchmark_ref else measured
    phase = status.phase.value if status.phase else ""
    return RunRow(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        phase=phase,
        reason=clean(reason_in(job)),
        stage=clean(_stage(job, ending)),
        ending=ending,
        cancelled_by_spec=job.spec.cancel and reason_in(job) == Reason.CANCELLED,
        percent=status.progress.percent if status.progress and is_going_on else None,
        left=time_left(job, now),
        verdict=status.gate.verdict.value if status.gate else "",
        score=clean(status.score or ""),
        limit_samples=job.spec.limit_samples,
        model=clean(status.model or job.spec.model or ""),
        benchmark=clean(benchmark or ""),
        attempt=status.attempt,
        job_id=clean(status.job_id or ""),
        duration=status.duration or "",
        message=clean(status.message or "", MAX_MESSAGE_CHARACTERS),
        age=max(now - meta.creation_timestamp, timedelta()) if meta.creation_timestamp else None,
        scores=tuple(score.to_manifest() for score in status.scores or ()),
    )


def _stage(job: NemoEvalJob, ending: Ending | None) -> str:
    if ending is None:
        return stage_of(job) if job.status.phase != "Running" else "Running"
    phase = job.status.phase.value if job.status.phase else ""
    if phase == "Succeeded" or not phase:
        return phase or ending.word.capitalize()
    reason = reason_in(job)
    return phase if ending.code is ExitCode.PASSED or reason == phase else f"{phase} ({reason})"


def age_text(age: timedelta | None) -> str:
    """Return an age in at most five characters up to 9,999 days, nearly as kubectl does; nothing for None."""
    if age is None:
        return ""
    seconds = int(age.total_seconds())
    minutes, hours = seconds // 60, seconds // 3600
    if age >= DAYS_FROM:
        return f"{age.days}d"
    if hours >= HOURS_FROM:
        return f"{hours}h"
    if minutes >= MINUTES_FROM:
        return f"{minutes}m" if hours < HOURS_AND_MINUTES_FROM else f"{hours}h{minutes % 60}m"
    return duration_text(age)
