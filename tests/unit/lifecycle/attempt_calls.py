"""Calls that the operator makes for an attempt, and the faults that tests inject into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob
from tests.unit.lifecycle.objects import NOW


class Conflict(Exception):
    """The object was written by another client first, or it is gone."""


class Fault(Enum):
    """What happens to one call: whether it is carried out, and what the caller receives."""

    NONE = "done and answered"
    SLOW = "done at once, answered a minute later"
    REFUSED = "connection refused: not done"
    BUSY = "429: not done"
    FAILED_BEFORE = "5xx before it was done"
    FAILED_AFTER = "5xx after it was done"
    MALFORMED = "done, answered with rubbish"
    LOST = "no answer; done a little later, or never"
    NOT_FOUND = "404"
    REJECTED = "422"
    UNFILTERED = "done, but filters were ignored"
    UNSUPPORTED = "405"
    DIED_BEFORE = "the operator died before it was done"
    DIED_AFTER = "the operator died after it was done"
    DIED_MEANWHILE = "the operator died; done a little later, or never"


@dataclass(frozen=True)
class Call:
    """A request to the Kubernetes API or the evaluator."""

    kind: str
    job: NemoEvalJob | None = None
    status: EvalJobStatus | None = None
    body: JsonObject = field(default_factory=dict)
    intent: datetime = NOW
    since: datetime = NOW
    job_id: str = ""
    left_behind: str | None = None
    may_wait: bool = True
