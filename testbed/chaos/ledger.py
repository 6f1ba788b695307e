"""Records of the two proxies: intents, jobs, results, and the objects whose requests were disturbed."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from testbed.chaos.steps import JOBS_PATH, Step, Steps, patched_status, patched_uid, subject_of
from testbed.faults import Exchange, Fault, Moment

__all__ = ["Attempt", "Ledger", "RemoteJob"]

Attempt = tuple[str, str]
"""An object's uid and the number of its attempt, as the evaluator's jobs are marked with them."""

_ANSWER_STAYS: frozenset[Fault] = frozenset({Fault.DELAY, Fault.SLOW})


@dataclass
class RemoteJob:
    """A job that the evaluator created and answered for."""

    id: str
    attempt: Attempt
    name: str
    answer_received: bool = False


@dataclass
class Ledger:
    """Both proxies' observer. Written in their threads, read in the main one: under a lock."""

    clock: Callable[[], float] = time.monotonic
    attempts: set[Attempt] = field(default_factory=set)
    jobs: dict[str, RemoteJob] = field(default_factory=dict)
    job_ids_written: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)  # names of objects whose results were stored
    deleted: set[str] = field(default_factory=set)  # names of objects that the operator deleted
    left_behind: set[str] = field(default_factory=set)  # names of objects that an event says so of
    recoveries: dict[str, float] = field(default_factory=dict)  # the longest of each object, in seconds
    slowest_submission: float = 0.0  # seconds from a POST's arrival here to the evaluator's answer
    _steps: Steps = field(default_factory=Steps)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _under_way: dict[Exchange, str] = field(default_factory=dict)  # names of objects
    _disturbed: set[str] = field(default_factory=set)
    _fault_ended: float = 0.0
    _resumed: float = 0.0

    def observe(self, exchange: Exchange, moment: Moment) -> bool:
        """Take note; never breaks a connection."""
        with self._lock:
            name = subject_of(exchange) or self._owner_of(exchange)
            if moment is Moment.ARRIVED and name is not None and exchange.method != "GET":
                self._under_way[exchange] = name
            if moment is Moment.ANSWERED and _succeeded(exchange):
                self._note(exchange, name)
            if moment is Moment.FORWARDED:
                self._under_way.pop(exchange, None)
                self._note_received(exchange)
        return False

    def disturb(self) -> None:
        """Count objects with a request under way as disturbed until the operator writes to them again."""
        with self._lock:
            self._disturbed |= set(self._under_way.values())
            self._under_way.clear()

    def evaluator_resumes(self) -> None:
        """From here on it is counted how long a suspended evaluator takes for the submissions that it had."""
        with self._lock:
            self._resumed = self.clock()

    def fault_ended(self) -> None:
        """From here on recovery is counted."""
        with self._lock:
            self._fault_ended = self.clock()

    def _note(self, exchange: Exchange, name: str | None) -> None:
        if name and exchange.method in {"PATCH", "DELETE"} and exchange.path.startswith("/apis/"):
            self._moved_on(name, exchange)
        match self._steps.of(exchange):
            case Step.SUBMIT:
                self._note_submission(exchange)
            case Step.INTENT:
                self.attempts.add((patched_uid(exchange), str(patched_status(exchange).get("attempt"))))
            case Step.JOB_ID:
                self.job_ids_written.add(patched_status(exchange)["jobId"])
            case Step.STORE if name:
                self.stored.add(name)
            case Step.EXPIRE if name:
                self.deleted.add(name)
            case None if exchange.path.endswith("/events"):
                self._note_event(exchange)
            case _:
                pass

    def _note_submission(self, exchange: Exchange) -> None:
        marks = json.loads(exchange.body)["custom_fields"]
        job_id = json.loads(exchange.answer or b"")["id"]
        attempt = (marks["k8s-uid"], marks["k8s-attempt"])
        self.jobs[job_id] = RemoteJob(job_id, attempt, marks["k8s-name"])
        took = self.clock() - max(exchange.arrived, self._resumed)
        self.slowest_submission = max(self.slowest_submission, took)

    def _note_received(self, exchange: Exchange) -> None:
        if self._steps.of(exchange) is not Step.SUBMIT or not _succeeded(exchange):
            return
        if exchange.rule is None or exchange.rule.fault in _ANSWER_STAYS:
            self.jobs[json.loads(exchange.answer or b"")["id"]].answer_received = True

    def _note_event(self, exchange: Exchange) -> None:
        event = json.loads(exchange.body)
        if event.get("reason") == "LeftInEvaluator":
            self.left_behind.add(event["involvedObject"]["name"])

    def _moved_on(self, name: str, by: Exchange) -> None:
        # What broke before this write is overcome; this one's answer may still get lost.
        self._under_way = {
            other: owner for other, owner in self._under_way.items() if owner != name or other is by
        }
        if name in self._disturbed:
            self._disturbed.discard(name)
            took = self.clock() - self._fault_ended
            self.recoveries[name] = max(took, self.recoveries.get(name, 0.0))

    def _owner_of(self, exchange: Exchange) -> str | None:
        job = self._job_of(exchange)
        return job.name if job else None

    def _job_of(self, exchange: Exchange) -> RemoteJob | None:
        if not exchange.path.startswith(f"{JOBS_PATH}/"):
            return None
        return self.jobs.get(exchange.path.removeprefix(f"{JOBS_PATH}/").partition("/")[0])


def _succeeded(exchange: Exchange) -> bool:
    return exchange.status is not None and exchange.status < HTTPStatus.MULTIPLE_CHOICES
