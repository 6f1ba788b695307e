"""The evaluator's own list and the proxies' ledger, compared with the objects. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from testbed.chaos.ledger import Attempt, Ledger

__all__ = ["Verdict", "has_ended", "judge"]

Document = Mapping[str, Any]

_ENDED: Final = {"completed", "failed", "cancelled"}
_PHASES: Final = {"completed": {"Succeeded"}, "failed": {"Failed"}, "cancelled": {"Cancelled", "Failed"}}


@dataclass(frozen=True)
class Verdict:
    """What must be nothing comes first: names of objects, or ids of remote jobs."""

    duplicates: list[str] = field(default_factory=list)  # jobs beyond the first of their attempt
    lost: list[str] = field(default_factory=list)  # objects without the result that the evaluator has
    stuck: list[str] = field(default_factory=list)  # objects neither finished nor gone
    contradicted: list[str] = field(default_factory=list)  # objects that say otherwise than the evaluator
    misjudged: list[str] = field(default_factory=list)  # objects whose verdict the evaluator's scores deny
    left_running: list[str] = field(default_factory=list)  # jobs that no object follows and no event names
    duplicates_cancelled: int = 0
    attempts: int = 0
    attempts_with_job: int = 0
    remote_jobs: int = 0
    adopted: int = 0  # jobs whose answer was lost, and whose id is on the object all the same

    @property
    def is_good(self) -> bool:
        wrong = (self.duplicates, self.lost, self.stuck, self.contradicted, self.misjudged, self.left_running)
        return not any(wrong)

    @property
    def jobs_an_attempt(self) -> float:
        """Remote jobs for each attempt that has any: the first law says 1.00."""
        return self.remote_jobs / self.attempts_with_job if self.attempts_with_job else 0.0


def judge(
    ledger: Ledger,
    *,
    remote: Sequence[Document],
    objects: Mapping[str, Document],
    config_maps: Mapping[str, Document],
    scores: Mapping[str, float],
) -> Verdict:
    """Return all findings of a run.

    `objects` and `config_maps` by name; `scores` by remote job, as the evaluator's own results have them.
    """
    listed = {job["id"]: job for job in remote}
    of_attempt = _jobs_of_attempts(ledger, listed)
    extras = [job_id for ids in of_attempt.values() for job_id in ids[1:]]
    received = {job.id for job in ledger.jobs.values() if job.answer_received}
    return Verdict(
        duplicates=extras,
        duplicates_cancelled=sum(_status(listed.get(job_id)) == "cancelled" for job_id in extras),
        lost=_lost(ledger, listed, objects, config_maps),
        stuck=[name for name, thing in objects.items() if _is_stuck(thing)],
        contradicted=[name for name, thing in objects.items() if _is_contradicted(thing, listed)],
        misjudged=[name for name, thing in objects.items() if _is_misjudged(thing, listed, scores)],
        left_running=[
            job["id"]
            for job in remote
            if job["status"] not in _ENDED and job["custom_fields"].get("k8s-name") not in ledger.left_behind
        ],
        attempts=len(ledger.attempts | of_attempt.keys()),
        attempts_with_job=len(of_attempt),
        remote_jobs=sum(map(len, of_attempt.values())),
        adopted=len(ledger.job_ids_written - received),
    )


def _jobs_of_attempts(ledger: Ledger, listed: Mapping[str, Document]) -> dict[Attempt, list[str]]:
    """Ids of every job ever created, oldest first: those deleted since, and those whose answer was lost."""
    ids: dict[Attempt, list[str]] = defaultdict(list)
    for job in ledger.jobs.values():
        ids[job.attempt].append(job.id)
    for job_id, document in listed.items():
        marks = document["custom_fields"]
        attempt = (marks.get("k8s-uid", ""), marks.get("k8s-attempt", ""))
        if job_id not in ids[attempt]:
            ids[attempt].append(job_id)
    return ids


def _lost(
    ledger: Ledger,
    listed: Mapping[str, Document],
    objects: Mapping[str, Document],
    config_maps: Mapping[str, Document],
) -> list[str]:
    kept = [
        name
        for name, thing in objects.items()
        if _status(listed.get(thing.get("status", {}).get("jobId"))) == "completed"
        and not _has_result(thing, config_maps)
    ]
    completed = {
        job["custom_fields"].get("k8s-name") for job in listed.values() if job["status"] == "completed"
    }
    # An object that was removed after its time to live must have had its results before.
    expired = [name for name in ledger.deleted if name in completed and name not in ledger.stored]
    return [*kept, *expired]


def _has_result(thing: Document, config_maps: Mapping[str, Document]) -> bool:
    status = thing["status"]
    name = status.get("resultsRef", {}).get("configMap")
    text = config_maps.get(name, {}).get("data", {}).get("results.json", "")
    return bool(status.get("scores")) and status["jobId"] in text


def _is_stuck(thing: Document) -> bool:
    return not has_ended(thing) or "deletionTimestamp" in thing["metadata"]


def has_ended(thing: Document) -> bool:
    """Return whether a job has ended; one with a gate that completed also has a verdict."""
    status = thing.get("status", {})
    if status.get("phase") == "Succeeded" and "gate" in thing["spec"] and _gate_verdict(thing) == "Pending":
        return False
    return "completionTime" in status


def _gate_verdict(thing: Document) -> str:
    return str(thing["status"].get("gate", {}).get("verdict", "Pending"))


def _is_misjudged(thing: Document, listed: Mapping[str, Document], scores: Mapping[str, float]) -> bool:
    """Return whether a verdict says otherwise than the scores that the evaluator itself has of the run."""
    gate, status = thing["spec"].get("gate"), thing.get("status", {})
    if gate is None or "gate" not in status or _gate_verdict(thing) == "Pending":
        return False
    score = scores.get(status.get("jobId", ""))
    if status["phase"] != "Succeeded" or score is None:
        return True
    if score < gate["criteria"][0]["minimum"]:
        allowed = {"Failed"}
    else:
        # Two baselines may have completed in the same second, which is ambiguous.
        allowed = {"Passed", "Inconclusive"} if "baseline" in gate else {"Passed"}
    verdict = _gate_verdict(thing)
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status["conditions"])
    baseline = status["gate"].get("baseline")
    return (
        verdict not in allowed
        or ready != (verdict == "Passed")
        or (baseline is not None and _status(listed.get(baseline["jobId"])) != "completed")
    )


def _is_contradicted(thing: Document, listed: Mapping[str, Document]) -> bool:
    """Whether a finished object says otherwise than its remote job; without one, it was cancelled."""
    status = thing.get("status", {})
    if "completionTime" not in status:
        return False
    if "jobId" not in status:
        return not thing["spec"].get("cancel")
    return status["phase"] not in _PHASES.get(_status(listed.get(status["jobId"])), set())


def _status(job: Document | None) -> str:
    return str(job["status"]) if job else "gone"
