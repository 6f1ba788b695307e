"""A small world for the laws: one object, an evaluator that fails in every way, operators that may die.

`reconcile` makes the decisions and transitions of `lifecycle` in the order in which the operator's own
shell makes them, but asks for everything outside by yielding a call. The world carries a call out under
a fault of the test's choice; whoever does not get an answer died in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    EvaluatorError,
    Malformed,
    Missing,
    Rejected,
    RemoteJob,
    Results,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.evaluator.model.wire import StatusDetails
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle import FINALIZER, RERUN_ANNOTATION
from nemo_eval_operator.lifecycle.job import (
    UNKNOWN,
    Admitted,
    Facts,
    LookUp,
    NothingNew,
    RemoteGone,
    ResolvedEvaluator,
    Stored,
    attempt_status,
    decide_job,
    end_status,
    pick_marked,
)
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.lifecycle.requests import job_body
from nemo_eval_operator.lifecycle.steps import (
    AcquireSlot,
    AddFinalizer,
    CancelJob,
    CollectResults,
    DeleteJob,
    DeleteObject,
    FindJob,
    ObserveJob,
    ReadBenchmark,
    RemoveFinalizer,
    RequeueAfter,
    ResolveEvaluator,
    SubmitJob,
    WriteStatus,
)
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob
from tests.unit.lifecycle.objects import EM, NOW, SETTLE, USED, evaljob, remote

INTENT_SECONDS = 5.0
"""As in the shell: an intent that took longer to write is not acted on."""


class Conflict(Exception):
    """Somebody else wrote the object first, or it is gone."""


class Fault(Enum):
    NONE = "done and answered"
    SLOW = "done at once, answered a minute later"
    REFUSED = "nobody there: surely not done"
    BUSY = "429: surely not done"
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
    kind: str
    job: NemoEvalJob | None = None
    status: EvalJobStatus | None = None
    body: JsonObject = field(default_factory=dict)
    intent: datetime = NOW
    since: datetime = NOW
    job_id: str = ""
    left_behind: str | None = None


Operator = Generator[Call, Any, None]


@dataclass
class Gate:
    """What one operator knows of an outage."""

    outage: str | None = None


def record(job: NemoEvalJob, status: EvalJobStatus) -> Generator[Call, Any, NemoEvalJob]:
    if status == job.status:
        return job
    written: NemoEvalJob = yield Call("write", job=job, status=status)
    return written


def observe(job_id: str) -> Generator[Call, Any, RemoteJob | RemoteGone]:
    try:
        found: RemoteJob = yield Call("get", job_id=job_id)
    except Missing:
        return RemoteGone()
    return found


def delete(job_id: str) -> Generator[Call, Any, None]:
    with suppress(Missing):
        yield Call("delete", job_id=job_id)


def reconcile(clock: Callable[[], datetime], breaker: Gate) -> Operator:
    """One pass of the shell over the object."""
    job: NemoEvalJob | None = yield Call("read")
    if job is None:
        return
    deleting = job.metadata.deletion_timestamp is not None
    facts = Facts(now=clock(), settle=SETTLE)
    for _ in range(20):
        facts = as_of_now(facts, clock, breaker)
        step = decide_job(job, facts)
        match step:
            case RequeueAfter():
                return
            case RemoveFinalizer(left_behind):
                job = yield Call("let go", job=job, left_behind=left_behind)
                if deleting:
                    return
            case DeleteObject():
                raise AssertionError("no time to live was given")
            case _:
                try:
                    job, facts = yield from advance(job, facts, step, clock, breaker)
                except EvaluatorError as error:
                    if not deleting:
                        breaker.outage = error.detail if isinstance(error, Unavailable) else breaker.outage
                        return
                    facts = replace(facts, failed=True)
    raise AssertionError(f"still not at rest: {step}")


def as_of_now(facts: Facts, clock: Callable[[], datetime], breaker: Gate) -> Facts:
    facts = replace(facts, now=clock())
    if isinstance(facts.evaluator, ResolvedEvaluator):
        facts = replace(facts, evaluator=replace(facts.evaluator, outage=breaker.outage))
    return facts


def request(job: NemoEvalJob, facts: Facts, step: object, breaker: Gate) -> Generator[Call, Any, Facts]:
    """The fact that `step` requests. There is no poller: what it would report is asked for."""
    match step:
        case ReadBenchmark():
            return replace(facts, benchmark=None)
        case ResolveEvaluator():
            return replace(facts, evaluator=ResolvedEvaluator(USED))
        case ObserveJob(job_id):
            try:
                return replace(facts, remote=(yield from observe(job_id)))
            except EvaluatorError as error:
                breaker.outage = error.detail if isinstance(error, Unavailable) else breaker.outage
                return replace(facts, remote=NothingNew())
        case _:
            raise AssertionError(step)


def advance(
    job: NemoEvalJob, facts: Facts, step: object, clock: Callable[[], datetime], breaker: Gate
) -> Generator[Call, Any, tuple[NemoEvalJob, Facts]]:
    match step:
        case WriteStatus(status):
            known = (job.status.attempt, job.status.job_id)
            job = yield from record(job, status)
            if (status.attempt, status.job_id) != known:
                facts = Facts(now=clock(), settle=SETTLE)
            return job, facts
        case AcquireSlot():
            return job, replace(facts, slot_decision=Admitted())
        case AddFinalizer():
            job = yield Call("hold", job=job)
            return job, facts
        case SubmitJob(claim):
            return (yield from submit(job, clock, breaker, claim=claim)), replace(facts, lookup=UNKNOWN)
        case FindJob():
            return job, replace(facts, lookup=(yield from look_up(job, step, clock)))
        case CancelJob(job_id):
            job = yield from record(job, job_status.cancelling(job, clock()))
            yield from cancel(job_id)
            return job, replace(facts, cancel_asked=True, remote=(yield from observe(job_id)))
        case DeleteJob(job_id):
            yield from delete(job_id)
            return job, replace(facts, deleted=facts.deleted | {job_id})
        case CollectResults(job_id):
            return job, replace(facts, stored=(yield from collect(job, job_id, clock)))
        case _:
            return job, (yield from request(job, facts, step, breaker))


def look_up(job: NemoEvalJob, step: FindJob, clock: Callable[[], datetime]) -> Generator[Call, Any, LookUp]:
    begun = clock()
    listed: list[RemoteJob] = yield Call("list", since=step.created_since)
    found = pick_marked(listed, job.metadata, step.attempt)
    for extra in found[1:]:
        if not extra.is_terminal:
            yield from cancel(extra.id)
    return LookUp(begun=begun, found=tuple(found))


def cancel(job_id: str) -> Generator[Call, Any, None]:
    try:
        yield Call("cancel", job_id=job_id)
    except (Missing, Unsupported):
        remote = yield from observe(job_id)
        if isinstance(remote, RemoteJob) and not remote.is_terminal:
            yield from delete(job_id)
    except Rejected:
        pass


def collect(job: NemoEvalJob, job_id: str, clock: Callable[[], datetime]) -> Generator[Call, Any, Stored]:
    try:
        results: Results = yield Call("results", job_id=job_id)
    except EvaluatorError as error:
        yield from record(job, end_status.results_pending(job, clock(), error.detail))
        raise
    return Stored(results=results, config_map="results", key="results.json", url="u", truncated=False)


def submit(
    job: NemoEvalJob, clock: Callable[[], datetime], breaker: Gate, *, claim: bool
) -> Generator[Call, Any, NemoEvalJob]:
    """The finalizer; the intent, if nobody wrote in between; the POST; what came of it."""
    nonce = job.status.submission.nonce if job.status.submission else "n-1"
    body = job_body(job, None, nonce=nonce, secrets={}, benchmark_secrets={})
    if claim:
        job = yield Call("hold", job=job)
    begun = clock()
    job = yield from record(job, job_status.submitting(job, begun, nonce))
    if (clock() - begun).total_seconds() > INTENT_SECONDS:
        raise Ambiguous("an intent too old to act on")
    try:
        created: RemoteJob = yield Call("post", body=body, intent=begun)
    except EvaluatorError as error:
        job = yield from record(job, attempt_status.not_submitted(job, clock(), error))
        if isinstance(error, Unavailable) and error.status_code is None:
            breaker.outage = error.detail
            return job
        if isinstance(error, Unavailable | Missing | Unsupported):
            raise
        return job
    return (yield from record(job, job_status.submitted(job, clock(), created)))


@dataclass
class Scenario:
    """Kubernetes and the evaluator; `skew` is how far the evaluator's clock is ahead of ours."""

    skew: timedelta = timedelta()
    now: datetime = NOW
    thing: NemoEvalJob | None = field(
        default_factory=lambda: evaljob(config={"type": "gsm8k"}, backoffLimit=1)
    )
    left_behind: str | None = None
    jobs: dict[str, RemoteJob] = field(default_factory=dict)
    created: Counter[str] = field(default_factory=Counter)
    flights: list[tuple[datetime, JsonObject]] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    def pass_time(self, seconds: float) -> None:
        """POSTs without an answer take effect when their time has come."""
        target = self.now + timedelta(seconds=seconds)
        for lands, body in sorted(self.flights, key=lambda flight: flight[0]):
            if lands <= target:
                self.now = lands
                self.flights.remove((lands, body))
                self.create(body)
        self.now = target

    def create(self, body: JsonObject) -> RemoteJob:
        mark = body["custom_fields"]
        assert isinstance(mark, dict)
        self.created[str(mark["k8s-attempt"])] += 1
        job_id = f"eval-{self.created.total()}"
        time = (self.now + self.skew).replace(tzinfo=None).isoformat()
        made = remote("created", job_id, created_at=time, custom_fields=mark)
        self.jobs[job_id] = made
        return made

    def set_state(self, job_id: str, state: str, message: str | None = None) -> None:
        details = StatusDetails(message=message)
        self.jobs[job_id] = self.jobs[job_id].model_copy(update={"status": state, "status_details": details})

    def edit(self, **spec: Any) -> None:
        """A user changes the spec."""
        if self.thing is not None:
            meta = {"generation": self.thing.metadata.generation + 1}
            self._replace(self.thing.spec.model_copy(update=spec), self.thing.status, meta)

    def ask_again(self, value: str) -> None:
        """A user sets the annotation that starts another attempt."""
        if self.thing is not None:
            annotations = self.thing.metadata.annotations | {RERUN_ANNOTATION: value}
            self._replace(self.thing.spec, self.thing.status, {"annotations": annotations})

    def delete_object(self) -> None:
        if self.thing is None or self.thing.metadata.deletion_timestamp is not None:
            return
        if FINALIZER in self.thing.metadata.finalizers:
            self._replace(self.thing.spec, self.thing.status, {"deletion_timestamp": self.now})
        else:
            self.thing = None

    def carry_out(self, call: Call, fault: Fault, lands: float | None) -> object:
        """Do `call` under `fault`; raises what the caller would see. `lands`: when a lost POST does."""
        try:
            return self._do(call, fault, lands)
        finally:
            if fault is Fault.SLOW:
                self.pass_time(60)

    def _do(self, call: Call, fault: Fault, lands: float | None) -> object:
        if call.kind in {"read", "write", "hold", "let go"}:
            return self._kubernetes(call)
        self._refuse(call, fault)
        if call.kind == "post":
            return self._post(call, fault, lands)
        answer = self._evaluate(call, unfiltered=fault is Fault.UNFILTERED)
        if fault in {Fault.FAILED_AFTER, Fault.LOST, Fault.MALFORMED}:
            raise Ambiguous(fault.value, status_code=None if fault is Fault.LOST else 500)
        return answer

    def _refuse(self, call: Call, fault: Fault) -> None:
        match fault:
            case Fault.REFUSED:
                raise Unavailable("connection refused")
            case Fault.BUSY:
                raise Unavailable("slow down", status_code=429)
            case Fault.FAILED_BEFORE:
                raise Ambiguous("bad gateway", status_code=502)
            case Fault.NOT_FOUND if call.kind in {"post", "results", "list"}:
                raise Missing("no such route", status_code=404)
            case Fault.REJECTED if call.kind in {"post", "cancel"}:
                raise Rejected("no", status_code=422)
            case Fault.UNSUPPORTED if call.kind in {"post", "cancel"}:
                raise Unsupported("no such operation", status_code=405)
            case _:
                return

    def _post(self, call: Call, fault: Fault, lands: float | None) -> RemoteJob:
        latest = call.intent + SETTLE
        if self.now > latest:
            # What the law presumes: so long after the intent, no POST of it takes effect.
            raise Unavailable("given up on the way")
        if fault in {Fault.LOST, Fault.DIED_MEANWHILE}:
            if lands is not None:
                self.flights.append((self.now + (latest - self.now) * lands, call.body))
            raise Ambiguous("timed out")
        made = self.create(call.body)
        if fault is Fault.FAILED_AFTER:
            raise Ambiguous("server error", status_code=500)
        if fault is Fault.MALFORMED:
            raise Malformed("no id", status_code=201)
        return made

    def _evaluate(self, call: Call, *, unfiltered: bool) -> object:
        if call.kind == "list":
            since = datetime.min.replace(tzinfo=NOW.tzinfo) if unfiltered else call.since
            others = [remote("running", "eval-of-others", custom_fields={"k8s-uid": "another"})]
            return [job for job in self.jobs.values() if job.created_at and job.created_at >= since] + others
        found = self.jobs.get(call.job_id)
        if found is None:
            raise Missing("no such job", status_code=404)
        match call.kind:
            case "cancel":
                if not found.is_terminal:
                    self.set_state(found.id, "cancelling")
            case "delete":
                del self.jobs[found.id]
            case "results":
                document = {"job": found.id, "tasks": EM}
                return Results.model_validate(document | {"document": document})
            case _:
                pass
        return found

    def _kubernetes(self, call: Call) -> NemoEvalJob | None:
        if call.kind == "read":
            return self.thing
        if self.thing is None or call.job is None:
            raise Conflict
        if call.job.metadata.resource_version != self.thing.metadata.resource_version:
            raise Conflict
        spec, status = self.thing.spec, self.thing.status
        match call.kind:
            case "write":
                manifest = (call.status or status).to_manifest()
                return self._replace(spec, EvalJobStatus.model_validate(manifest), {})
            case "hold":
                return self._replace(spec, status, {"finalizers": [FINALIZER]})
            case _:
                self.left_behind = call.left_behind
                letting_go = self._replace(spec, status, {"finalizers": []})
                if letting_go.metadata.deletion_timestamp is not None:
                    self.thing = None
                return letting_go

    def _replace(self, spec: Any, status: EvalJobStatus, meta: dict[str, Any]) -> NemoEvalJob:
        assert self.thing is not None
        version = str(int(self.thing.metadata.resource_version or "0") + 1)
        metadata = self.thing.metadata.model_copy(update={"resource_version": version} | meta)
        update = {"spec": spec, "status": status, "metadata": metadata}
        self.thing = self.thing.model_copy(update=update)
        return self.thing
