"""What can go wrong, and who is told.

* LocalEvaluatorError
  x RequestRefusedError   answers one HTTP request; carries the status code
    + BadRequestError     400
    + NotFoundError       404
    + ConflictError       409
    + TooLargeError       413
    + InvalidBodyError    422, FastAPI's list of places and messages
  x StartRefusedError     ends the start of a server
    + DatabaseInUseError
    + DatabaseTooNewError
    + ContradictingQuirksError
  x InvalidDocumentError    ends an evaluation without a server before it starts
  x EvaluationError       ends one job; the message is the job's last word to its owner
    + UnsupportedError    valid for NeMo Evaluator, but not evaluated here
  x SampleError           ends one sample, which counts as not-a-number
"""


class LocalEvaluatorError(Exception):
    """Root of the tree."""


class RequestRefusedError(LocalEvaluatorError):
    status_code = 500

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail


class BadRequestError(RequestRefusedError):
    status_code = 400


class NotFoundError(RequestRefusedError):
    status_code = 404


class ConflictError(RequestRefusedError):
    status_code = 409


class TooLargeError(RequestRefusedError):
    status_code = 413


class InvalidBodyError(RequestRefusedError):
    status_code = 422


class StartRefusedError(LocalEvaluatorError):
    pass


class DatabaseInUseError(StartRefusedError):
    pass


class DatabaseTooNewError(StartRefusedError):
    pass


class ContradictingQuirksError(StartRefusedError):
    pass


class InvalidDocumentError(LocalEvaluatorError):
    pass


class EvaluationError(LocalEvaluatorError):
    pass


class UnsupportedError(EvaluationError):
    pass


class SampleError(LocalEvaluatorError):
    pass
