"""What `cancel`, `suspend`, `resume` and `rerun` change of a run, and when they have no effect: pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle import RERUN_ANNOTATION, owned_by_gitops, rerun_wanted
from nemo_eval_operator.resources import NemoEvalJob

from .outcome import awaits_rerun
from .suggestions import command

__all__ = ["Action", "Change", "Refusal", "change_of", "is_applied"]


class Action(StrEnum):
    """A command that steers a run."""

    CANCEL = "cancel"
    SUSPEND = "suspend"
    RESUME = "resume"
    RERUN = "rerun"


@dataclass(frozen=True, slots=True)
class Change:
    """A merge patch, and what it does."""

    patch: JsonObject
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the command would have no effect, and what to do instead."""

    message: str


def change_of(action: Action, job: NemoEvalJob, value: str) -> Change | Refusal:
    """Return what to change; `value` is that of the rerun annotation."""
    if job.metadata.deletion_timestamp is not None:
        return Refusal("is being deleted")
    match action:
        case Action.CANCEL:
            return _cancel(job)
        case Action.SUSPEND:
            return _suspend(job)
        case Action.RESUME:
            if not job.spec.suspend:
                return Refusal("is not suspended: spec.suspend is false")
            return Change({"spec": {"suspend": False}}, f"resumed{_may_be_undone(job)}")
        case Action.RERUN:
            return _rerun(job, value)


def is_applied(patch: JsonValue, document: JsonValue) -> bool:
    """Return whether the document has all that the merge patch sets."""
    if not isinstance(patch, dict):
        return patch == document
    return isinstance(document, dict) and all(
        is_applied(one, document.get(key)) for key, one in patch.items()
    )


def _cancel(job: NemoEvalJob) -> Change | Refusal:
    if awaits_rerun(job):
        return Change(
            {"spec": {"cancel": True}}, "cancellation requested: the requested attempt does not start"
        )
    if job.status.completion_time is not None:
        return Refusal(f"has ended already ({_phase(job)}): there is nothing to cancel")
    if job.spec.cancel:
        return Refusal("is being cancelled already")
    remote = f" of remote job {job.status.job_id}" if job.status.job_id else ""
    return Change({"spec": {"cancel": True}}, f"cancellation{remote} requested")


def _suspend(job: NemoEvalJob) -> Change | Refusal:
    is_to_run_again = awaits_rerun(job)
    if job.status.completion_time is not None and not is_to_run_again:
        return Refusal(f"has ended already ({_phase(job)}): there is nothing to suspend")
    if (job.status.job_id or job.status.submission) and not is_to_run_again:
        remote = f" as remote job {job.status.job_id}" if job.status.job_id else ""
        return Refusal(
            f"is submitted{remote}, and the evaluator cannot pause it: stop it with "
            f"`{command('cancel', job)}`"
        )
    if job.spec.suspend:
        return Refusal("is suspended already")
    resume = f"`{command('resume', job)}`"
    return Change({"spec": {"suspend": True}}, f"suspended until {resume}{_may_be_undone(job)}")


def _rerun(job: NemoEvalJob, value: str) -> Change | Refusal:
    status = job.status
    if job.spec.cancel:
        return Refusal(
            "was cancelled by spec.cancel, after which reruns are ignored: start a new run with "
            f"`{command('run --like', job)}`"
        )
    if status.completion_time is None and status.job_id is None:
        return Refusal(f"has not been submitted yet ({_phase(job)}): that attempt is the one to come")
    if rerun_wanted(job):
        return Refusal(f"attempt {(status.attempt or 1) + 1} is requested already")
    when = "" if status.completion_time else "; it starts when the present attempt has ended"
    held = "; it waits until spec.suspend is false" if job.spec.suspend else ""
    patch: JsonObject = {"metadata": {"annotations": {RERUN_ANNOTATION: value}}}
    follow = f"; follow it with `{command('wait', job)}`"
    return Change(patch, f"attempt {(status.attempt or 1) + 1} requested{when}{held}{follow}")


def _phase(job: NemoEvalJob) -> str:
    return job.status.phase.value if job.status.phase else "not reconciled yet"


def _may_be_undone(job: NemoEvalJob) -> str:
    mark = owned_by_gitops(job.metadata)
    return f". A GitOps tool manages it ({mark}): change spec.suspend there too" if mark else ""
