"""Objects that do not match the model are read as far as possible: enough to release them in an orderly way.

The CRD refuses such objects; a newer version of the CRD may allow them, and some schemas cannot distinguish
text from a number. A status may be of a newer version of the operator.
"""

from __future__ import annotations

from pydantic import BaseModel, JsonValue, ValidationError

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import (
    BenchmarkSpec,
    BenchmarkStatus,
    ConnectionSpec,
    ConnectionStatus,
    EvalJobSpec,
    EvalJobStatus,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
)

__all__ = ["read_benchmark", "read_connection", "read_job"]

STEERING = ("deletionPolicy", "cancelTimeoutSeconds", "benchmarkRef")
"""Fields of a job or benchmark that say how it is released, and which benchmark is kept for the job."""

USERS = ("default", "allowedNamespaces")
"""Fields of a connection that say who uses it: they do not get another evaluator instead."""


def read_job(document: JsonObject) -> tuple[NemoEvalJob, ValidationError | None]:
    """The job; with the reason where its spec cannot be read, and then the spec is a stand-in.

    Raises ValidationError where not even metadata can be read.
    """
    readable = {**document, "status": _readable_status(EvalJobStatus, document.get("status"))}
    try:
        return NemoEvalJob.model_validate(readable), None
    except ValidationError as error:
        spec = _readable(EvalJobSpec, {}, document.get("spec"), STEERING)
        return NemoEvalJob.model_validate({**readable, "spec": spec}), error


def read_benchmark(document: JsonObject) -> tuple[NemoBenchmark, ValidationError | None]:
    """Read a benchmark, as read_job does. The stand-in has the config of status, or of the object's name."""
    status = _readable_status(BenchmarkStatus, document.get("status"))
    try:
        return NemoBenchmark.model_validate({**document, "status": status}), None
    except ValidationError as error:
        config: JsonObject = {"type": "unreadable"}
        if isinstance(known := status.get("config"), str):
            config["namespace"], _, config["name"] = known.partition("/")
        spec = _readable(BenchmarkSpec, {"config": config}, document.get("spec"), STEERING)
        return NemoBenchmark.model_validate({**document, "spec": spec, "status": status}), error


def read_connection(document: JsonObject) -> tuple[NemoEvaluatorConnection, ValidationError | None]:
    """Read a connection, as read_job does. The stand-in has the users of the connection, and no URL."""
    readable = {**document, "status": _readable_status(ConnectionStatus, document.get("status"))}
    try:
        return NemoEvaluatorConnection.model_validate(readable), None
    except ValidationError as error:
        spec = _readable(ConnectionSpec, {}, document.get("spec"), USERS)
        return NemoEvaluatorConnection.model_validate({**readable, "spec": spec}), error


def _readable_status(model: type[BaseModel], status: JsonValue) -> JsonObject:
    """Return the fields of `status` that match the model: a run has ended, whatever its phase is called."""
    whole = status if isinstance(status, dict) else {}
    return whole if _fits(model, whole) else _readable(model, {}, whole, tuple(whole))


def _readable(
    model: type[BaseModel], base: JsonObject, part: JsonValue, fields: tuple[str, ...]
) -> JsonObject:
    """Return `base` and those fields of `part` with which it still matches the model."""
    kept = dict(base)
    given = part if isinstance(part, dict) else {}
    for name in fields:
        if name in given and _fits(model, {**kept, name: given[name]}):
            kept[name] = given[name]
    return kept


def _fits(model: type[BaseModel], part: JsonObject) -> bool:
    try:
        model.model_validate(part)
    except ValidationError:
        return False
    return True
