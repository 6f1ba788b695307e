"""The errors of this program, sorted by what they end.

* LocalEvaluatorError
  x RequestRefused    ends one HTTP request; carries the status code
    + BadRequest      400
    + NotFound        404
    + Conflict        409
    + TooLarge        413
    + InvalidBody     422, FastAPI's list of places and messages
  x StartRefused      ends the start of a server
    + DatabaseInUse
    + DatabaseTooNew
    + ContradictingQuirks
  x InvalidDocument   ends an evaluation without a server before it starts
  x EvaluationError   ends one job; the message is stored in the job's status
    + Unsupported     valid for NeMo Evaluator, but not evaluated here
  x SampleFailed      ends one sample, whose scores are then NaN
"""

from __future__ import annotations

__all__ = [
    "BadRequest",
    "Conflict",
    "ContradictingQuirks",
    "DatabaseInUse",
    "DatabaseTooNew",
    "EvaluationError",
    "InvalidBody",
    "InvalidDocument",
    "LocalEvaluatorError",
    "NotFound",
    "RequestRefused",
    "SampleFailed",
    "StartRefused",
    "TooLarge",
    "Unsupported",
]


class LocalEvaluatorError(Exception):
    """Root of the tree."""


class RequestRefused(LocalEvaluatorError):
    status_code = 500

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail


class BadRequest(RequestRefused):
    status_code = 400


class NotFound(RequestRefused):
    status_code = 404


class Conflict(RequestRefused):
    status_code = 409


class TooLarge(RequestRefused):
    status_code = 413


class InvalidBody(RequestRefused):
    status_code = 422


class StartRefused(LocalEvaluatorError):
    pass


class DatabaseInUse(StartRefused):
    pass


class DatabaseTooNew(StartRefused):
    pass


class ContradictingQuirks(StartRefused):
    pass


class InvalidDocument(LocalEvaluatorError):
    pass


class EvaluationError(LocalEvaluatorError):
    pass


class Unsupported(EvaluationError):
    pass


class SampleFailed(LocalEvaluatorError):
    pass
