"""The steps of the operator's protocol, recognised from outside by the requests that it makes."""

import json
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from testbed.faults import Exchange

__all__ = ["JOBS_PATH", "Step", "Steps", "patched_status", "patched_uid", "subject_of"]

JOBS_PATH: Final = "/v1/evaluation/jobs"
_FINALIZER: Final = "evaluator.nemo.dev/finalizer"


class Step(StrEnum):
    """One request in the lifecycle of a job; see docs/architecture.md, "Lifecycle of a job"."""

    CLAIM = "add finalizer"
    INTENT = "write intent"
    SUBMIT = "submit job"
    LOOK_UP = "look job up"
    JOB_ID = "write job id"
    RESULTS = "fetch results"
    STORE = "store results"
    CANCELLING = "write cancelling"
    CANCEL = "cancel job"
    VERDICT = "write verdict"
    DELETE_REMOTE = "delete job"
    RELEASE = "remove finalizer"
    EXPIRE = "delete object"


class Steps:
    """Recognise the step that a request belongs to, from the writes seen before it."""

    def __init__(self) -> None:
        self._written: dict[str, Exchange] = {}

    def of(self, exchange: Exchange) -> Step | None:
        """None where the request is none of the steps: reads, events, progress."""
        if exchange.path.startswith(JOBS_PATH):
            return _evaluator_step(exchange)
        match exchange.method, exchange.path.split("/")[-2:]:
            case "PATCH", [_, "status"]:
                return self._status_step(exchange)
            case "PATCH", ["nemoevaljobs", _]:
                return (
                    Step.CLAIM if _FINALIZER in _patched(exchange, "/metadata/finalizers") else Step.RELEASE
                )
            case "DELETE", ["nemoevaljobs", _]:
                return Step.EXPIRE
            case "POST", [_, "configmaps"]:
                return Step.STORE
            case _:
                return None

    def _status_step(self, exchange: Exchange) -> Step | None:
        if "/nemoevaljobs/" not in exchange.path:
            return None
        status = patched_status(exchange)
        job_id = status.get("jobId")
        if status.get("completionTime"):
            return Step.VERDICT
        if status.get("phase") == "Cancelling":
            return Step.CANCELLING
        if job_id is None:
            return Step.INTENT if status.get("submission") else None
        if self._written.get(job_id, exchange) is not exchange:
            return None
        if exchange.status == HTTPStatus.OK:
            self._written[job_id] = exchange
        return Step.JOB_ID


def subject_of(exchange: Exchange) -> str | None:
    """The name of the NemoEvalJob that a request is for, where the request itself says it."""
    parts = exchange.path.split("/")
    if "nemoevaljobs" in parts[:-1]:
        return parts[parts.index("nemoevaljobs") + 1]
    if exchange.method != "POST":
        return None
    match _json(exchange.body):
        case {"custom_fields": {"k8s-name": str(name)}}:
            return name
        case {"kind": "ConfigMap", "metadata": {"ownerReferences": [{"name": str(name)}]}}:
            return name
        case _:
            return None


def patched_status(exchange: Exchange) -> dict[str, Any]:
    """The status that a JSON patch writes; empty where it writes none."""
    value = _patched(exchange, "/status")
    return value if isinstance(value, dict) else {}


def patched_uid(exchange: Exchange) -> str:
    """The uid that a JSON patch tests for."""
    return str(_patched(exchange, "/metadata/uid"))


def _patched(exchange: Exchange, pointer: str) -> Any:
    operations = _json(exchange.body)
    for operation in operations if isinstance(operations, list) else ():
        if operation.get("path") == pointer:
            return operation.get("value")
    return ""


def _evaluator_step(exchange: Exchange) -> Step | None:
    match exchange.method, exchange.path.removeprefix(JOBS_PATH).strip("/").split("/"):
        case "POST", [""]:
            return Step.SUBMIT
        case "GET", [""] if "created_at" in exchange.query.replace("sort=-created_at", ""):
            return Step.LOOK_UP
        case "GET", [_, "results"]:
            return Step.RESULTS
        case "POST", [_, "cancel"]:
            return Step.CANCEL
        case "DELETE", [_]:
            return Step.DELETE_REMOTE
        case _:
            return None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
