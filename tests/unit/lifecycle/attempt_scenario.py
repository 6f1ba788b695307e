"""Kubernetes and an evaluator for the laws: one object, and calls carried out under injected faults."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from nemo_eval_operator.evaluator.model import (
    Ambiguous,
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
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob
from tests.unit.lifecycle.attempt_calls import Call, Conflict, Fault
from tests.unit.lifecycle.attempt_gate import GateWorld
from tests.unit.lifecycle.objects import EM, NOW, SETTLE, evaljob, remote


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
    gate: GateWorld = field(default_factory=GateWorld)

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
        if call.kind == "judge":
            assert call.job is not None
            return self.gate.judge(call.job, may_wait=call.may_wait)
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
