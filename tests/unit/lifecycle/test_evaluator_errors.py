"""What each error of the evaluator means for each operation: a row for every pair.

A row begins with HTTP answers or failures, named in `ERRORS`. What happens when the evaluator answers 503
to a create is the row of 503 in `ROWS["create job"]`.
"""

from __future__ import annotations

from typing import Final

import httpx
import pytest

from nemo_eval_operator.evaluator.http.answers import Answer
from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    EvaluatorError,
    Fault,
    KnownSecrets,
    Malformed,
    Oversized,
    Unavailable,
)
from nemo_eval_operator.lifecycle import BreakerAction, Operation, Retry, meaning_of
from nemo_eval_operator.reasons import Reason


def answered(code: int, body: bytes = b"{}", *, retry_after: str = "") -> EvaluatorError:
    """The error that an answer of the evaluator becomes."""
    known, headers = KnownSecrets().of(None), httpx.Headers({"Retry-After": retry_after})
    return Answer("POST /v1/x", code, headers, body, known, max_parts=100).refusal("no reason")


ERRORS: Final[dict[str, EvaluatorError]] = {
    "not connected": Unavailable("cannot connect to http://evaluator.test: connection refused"),
    "no answer": Ambiguous("no whole answer within 60 s"),
    "malformed": Malformed("POST /v1/x answered 200, but id: Field required", status_code=200),
    "too large": Oversized("POST /v1/x answered 200 with more than 3 MiB", status_code=200),
    "gateway 404": answered(404, b"<h1>no such route</h1>"),
    "404": answered(404, b'{"detail": "not found"}'),
    **{
        str(code): answered(code)
        for code in (307, 400, 401, 403, 405, 408, 409, 413, 422, 429, 500, 501, 502, 503, 504, 599)
    },
}

HEAD: Final = "reason | conditions | retry | breaker | may have acted | metric"

ROWS: Final = {
    "create job": """
        not connected       | EvaluatorUnreachable  | WORKING | now     | trip  | no  | unavailable
        307, gateway 404    | EvaluatorUnreachable  | WORKING | backoff | leave | no  | unavailable
        401, 403            | EvaluatorUnauthorized | WORKING | backoff | leave | no  | unavailable
        429                 | EvaluatorBusy         | WORKING | backoff | leave | no  | unavailable
        no answer           | SubmissionUncertain   | WORKING | now     | probe | yes | unknown
        503                 | SubmissionUncertain   | WORKING | now     | leave | yes | unknown
        502, 504            | SubmissionUncertain   | WORKING | now     | leave | yes | unknown
        408, 500, 599       | SubmissionUncertain   | WORKING | now     | leave | yes | unknown
        malformed, too large| SubmissionUncertain   | WORKING | now     | leave | yes | unknown
        404                 | EvaluatorRefusing     | WORKING | backoff | leave | no  | refused
        405, 501            | EvaluatorRefusing     | WORKING | backoff | leave | no  | refused
        409                 | EvaluatorRejected     | FAILED  | never   | leave | no  | refused
        400, 413, 422       | EvaluatorRejected     | FAILED  | never   | leave | no  | refused
    """,
    "read job": """
        not connected       | -                     | -       | backoff | trip  | no  | unavailable
        307, gateway 404    | RemoteStatusUnknown   | WORKING | backoff | trip  | no  | unavailable
        401, 403            | RemoteStatusUnknown   | WORKING | backoff | trip  | no  | unavailable
        429                 | -                     | -       | backoff | trip  | no  | unavailable
        no answer           | -                     | -       | backoff | probe | no  | unknown
        502, 503, 504       | RemoteStatusUnknown   | WORKING | backoff | leave | no  | unknown
        408, 500, 599       | RemoteStatusUnknown   | WORKING | backoff | leave | no  | unknown
        malformed, too large| RemoteStatusUnknown   | WORKING | backoff | leave | no  | unknown
        404                 | -                     | -       | backoff | leave | no  | refused
        405, 501, 409       | RemoteStatusUnknown   | WORKING | backoff | leave | no  | refused
        400, 413, 422       | RemoteStatusUnknown   | WORKING | backoff | leave | no  | refused
    """,
    "poll jobs": """
        not connected       | -                     | -       | backoff | probe | no  | unavailable
        307, gateway 404    | -                     | -       | backoff | probe | no  | unavailable
        401, 403, 429       | -                     | -       | backoff | probe | no  | unavailable
        no answer           | -                     | -       | backoff | probe | no  | unknown
        502, 503, 504       | -                     | -       | backoff | probe | no  | unknown
        408, 500, 599       | -                     | -       | backoff | probe | no  | unknown
        malformed, too large| -                     | -       | backoff | leave | no  | unknown
        404, 405, 501, 409  | -                     | -       | backoff | leave | no  | refused
        400, 413, 422       | -                     | -       | backoff | leave | no  | refused
    """,
    "find jobs": """
        not connected       | -                     | -       | backoff | trip  | no  | unavailable
        307, gateway 404    | -                     | -       | backoff | trip  | no  | unavailable
        401, 403, 429       | -                     | -       | backoff | trip  | no  | unavailable
        no answer           | -                     | -       | backoff | probe | no  | unknown
        502, 503, 504       | -                     | -       | backoff | leave | no  | unknown
        408, 500, 599       | -                     | -       | backoff | leave | no  | unknown
        malformed, too large| -                     | -       | backoff | leave | no  | unknown
        404, 405, 501, 409  | -                     | -       | backoff | leave | no  | refused
        400, 413, 422       | -                     | -       | backoff | leave | no  | refused
    """,
    "cancel job": """
        not connected       | -                     | -       | backoff | trip  | no  | unavailable
        307, gateway 404    | CancelRefused         | WORKING | backoff | trip  | no  | unavailable
        401, 403, 429       | CancelRefused         | WORKING | backoff | trip  | no  | unavailable
        no answer           | -                     | -       | backoff | probe | yes | unknown
        502, 503, 504       | CancelRefused         | WORKING | backoff | leave | yes | unknown
        408, 500, 599       | CancelRefused         | WORKING | backoff | leave | yes | unknown
        malformed, too large| CancelRefused         | WORKING | backoff | leave | yes | unknown
        404, 405, 501, 409  | CancelRefused         | WORKING | backoff | leave | no  | refused
        400, 413, 422       | CancelRefused         | WORKING | backoff | leave | no  | refused
    """,
    "delete job": """
        not connected       | -                     | -       | backoff | trip  | no  | unavailable
        307, gateway 404    | -                     | -       | backoff | trip  | no  | unavailable
        401, 403, 429       | -                     | -       | backoff | trip  | no  | unavailable
        no answer           | -                     | -       | backoff | probe | yes | unknown
        502, 503, 504       | -                     | -       | backoff | leave | yes | unknown
        408, 500, 599       | -                     | -       | backoff | leave | yes | unknown
        malformed, too large| -                     | -       | backoff | leave | yes | unknown
        404, 405, 501, 409  | -                     | -       | backoff | leave | no  | refused
        400, 413, 422       | -                     | -       | backoff | leave | no  | refused
    """,
    "read results": """
        not connected       | ResultsUnavailable    | WORKING | backoff | leave | no  | unavailable
        307, gateway 404    | ResultsUnavailable    | WORKING | backoff | leave | no  | unavailable
        401, 403, 429       | ResultsUnavailable    | WORKING | backoff | leave | no  | unavailable
        no answer           | ResultsUnavailable    | WORKING | backoff | leave | no  | unknown
        502, 503, 504       | ResultsUnavailable    | WORKING | backoff | leave | no  | unknown
        408, 500, 599       | ResultsUnavailable    | WORKING | backoff | leave | no  | unknown
        malformed, too large| ResultsUnavailable    | WORKING | backoff | leave | no  | unknown
        404, 405, 501, 409  | ResultsUnavailable    | WORKING | backoff | leave | no  | refused
        400, 413, 422       | ResultsUnavailable    | WORKING | backoff | leave | no  | refused
    """,
    "create config, update config, delete config": """
        not connected       | EvaluatorUnreachable  | WORKING | backoff | trip  | no  | unavailable
        307, gateway 404    | EvaluatorUnreachable  | WORKING | backoff | trip  | no  | unavailable
        401, 403            | EvaluatorUnauthorized | WORKING | backoff | trip  | no  | unavailable
        429                 | EvaluatorBusy         | WORKING | backoff | trip  | no  | unavailable
        no answer           | EvaluatorFailing      | WORKING | backoff | probe | yes | unknown
        502, 503, 504       | EvaluatorFailing      | WORKING | backoff | leave | yes | unknown
        408, 500, 599       | EvaluatorFailing      | WORKING | backoff | leave | yes | unknown
        malformed, too large| EvaluatorFailing      | WORKING | backoff | leave | yes | unknown
        404                 | EvaluatorRefusing     | WORKING | backoff | leave | no  | refused
        405, 501            | EvaluatorRefusing     | WORKING | backoff | leave | no  | refused
        409                 | ConfigInUse           | WORKING | backoff | leave | no  | refused
        400, 413, 422       | EvaluatorRejected     | STALLED | never   | leave | no  | refused
    """,
    "read config": """
        not connected       | EvaluatorUnreachable  | WORKING | backoff | trip  | no  | unavailable
        307, gateway 404    | EvaluatorUnreachable  | WORKING | backoff | trip  | no  | unavailable
        401, 403            | EvaluatorUnauthorized | WORKING | backoff | trip  | no  | unavailable
        429                 | EvaluatorBusy         | WORKING | backoff | trip  | no  | unavailable
        no answer           | EvaluatorFailing      | WORKING | backoff | probe | no  | unknown
        502, 503, 504       | EvaluatorFailing      | WORKING | backoff | leave | no  | unknown
        408, 500, 599       | EvaluatorFailing      | WORKING | backoff | leave | no  | unknown
        malformed, too large| EvaluatorFailing      | WORKING | backoff | leave | no  | unknown
        404                 | EvaluatorRefusing     | WORKING | backoff | leave | no  | refused
        405, 501            | EvaluatorRefusing     | WORKING | backoff | leave | no  | refused
        409                 | ConfigInUse           | WORKING | backoff | leave | no  | refused
        400, 413, 422       | EvaluatorRejected     | STALLED | never   | leave | no  | refused
    """,
    "check": """
        not connected       | Unreachable           | WORKING | backoff | trip  | no  | unavailable
        307, gateway 404    | NotAnEvaluator        | STALLED | backoff | trip  | no  | unavailable
        401, 403            | Unauthorized          | STALLED | backoff | trip  | no  | unavailable
        429                 | Busy                  | WORKING | backoff | trip  | no  | unavailable
        no answer           | Unreachable           | WORKING | backoff | trip  | no  | unknown
        502, 503, 504       | ServerError           | WORKING | backoff | trip  | no  | unknown
        408, 500, 599       | ServerError           | WORKING | backoff | trip  | no  | unknown
        malformed, too large| NotAnEvaluator        | STALLED | backoff | trip  | no  | unknown
        404, 405, 501, 409  | NotAnEvaluator        | STALLED | backoff | trip  | no  | refused
        400, 413, 422       | NotAnEvaluator        | STALLED | backoff | trip  | no  | refused
    """,
}


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


TABLE: Final[dict[tuple[str, str], list[str]]] = {
    (error, operation): [cell.strip() for cell in cells]
    for operations, rows in ROWS.items()
    for operation in words(operations)
    for errors, *cells in (line.split("|") for line in rows.strip().splitlines())
    for error in words(errors)
}


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("error", ERRORS)
def test_what_an_error_means(error: str, operation: Operation) -> None:
    meaning = meaning_of(ERRORS[error], operation)
    found = [
        meaning.reason or "-",
        "-" if meaning.standing is None else meaning.standing.name,
        meaning.retry,
        meaning.breaker,
        "yes" if meaning.may_have_acted else "no",
        meaning.metric,
    ]
    assert found == TABLE[error, operation], HEAD


def test_the_table_has_no_other_rows() -> None:
    assert TABLE.keys() == {(error, operation) for error in ERRORS for operation in Operation}


def test_a_submission_that_may_have_acted_is_looked_up_before_it_is_repeated() -> None:
    meanings = [meaning_of(error, Operation.CREATE_JOB) for error in ERRORS.values()]
    uncertain = {meaning.retry for meaning in meanings if meaning.may_have_acted}
    assert uncertain == {Retry.NOW}
    assert {m.may_have_acted for m in meanings if m.reason == "SubmissionUncertain"} == {True}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("operation", Operation)
def test_an_outage_is_the_same_for_all_operations(error: str, operation: Operation) -> None:
    """Results wait for one without limit, and count other failures; 401 and 307 are for a person to mend."""
    outages = {"not connected", "no answer", "429", "502", "503", "504"}
    assert meaning_of(ERRORS[error], operation).is_outage is (error in outages)


@pytest.mark.parametrize("operation", Operation)
def test_an_exception_about_an_answer_is_not_an_outage_and_one_on_the_way_is(operation: Operation) -> None:
    """`boundary` raises both without a status code."""
    broken = Malformed("GET /v1/x: the answer cannot be processed (RecursionError)")
    assert meaning_of(broken, operation).is_outage is False
    unknown_host = Malformed("GET /v1/x: the answer cannot be processed (UnicodeError)", fault=Fault.DNS)
    assert meaning_of(unknown_host, operation).is_outage is True


@pytest.mark.parametrize("operation", Operation)
def test_an_error_of_an_unknown_class_may_have_acted(operation: Operation) -> None:
    class NewError(EvaluatorError):
        pass

    for error in (NewError("odd"), NewError("odd", status_code=200)):
        assert meaning_of(error, operation).may_have_acted is not operation.is_read


@pytest.mark.parametrize(
    ("fault", "conditions"),
    [
        (Fault.ADDRESS_FORBIDDEN, "STALLED"),
        (Fault.DNS, "WORKING"),
        (Fault.REFUSED, "WORKING"),
        (Fault.TLS, "STALLED"),
        (Fault.TIMEOUT, "WORKING"),
    ],
)
@pytest.mark.parametrize("error", [Unavailable, Ambiguous, Malformed])
def test_a_connection_says_what_failed_on_the_way(
    error: type[EvaluatorError], fault: Fault, conditions: str
) -> None:
    meaning = meaning_of(error("failed", fault=fault), Operation.CHECK)
    assert meaning.standing is not None
    assert (meaning.reason, meaning.standing.name, meaning.breaker) == (
        Reason(fault),
        conditions,
        BreakerAction.TRIP,
    )
    assert (
        meaning_of(Unavailable("failed", fault=fault), Operation.CREATE_JOB).reason == "EvaluatorUnreachable"
    )


@pytest.mark.parametrize("code", [400, 409, 422])
def test_a_refusal_that_blames_the_infrastructure_is_retried_as_another_attempt(code: int) -> None:
    error = answered(code, b'{"detail": "Job cannot be launched: model endpoint cannot be reached"}')
    meaning = meaning_of(error, Operation.CREATE_JOB)
    assert (meaning.reason, meaning.retry) == ("EvaluatorRejected", Retry.ATTEMPT)
    assert meaning_of(error, Operation.CREATE_CONFIG).retry is not Retry.ATTEMPT


@pytest.mark.parametrize("operation", Operation)
def test_the_servers_own_wish_is_the_shortest_pause(operation: Operation) -> None:
    error = answered(429, retry_after="7")
    assert meaning_of(error, operation).retry_seconds == 7
    assert meaning_of(answered(503), operation).retry_seconds == 0


@pytest.mark.parametrize(
    ("error", "operation", "hint"),
    [
        ("503", "create job", "Looking for the job in the evaluator before submitting again"),
        ("404", "create job", "Tried again once the config is there"),
        ("405", "create job", "Is this URL a NeMo Evaluator?"),
        ("405", "create config", "Is this URL a NeMo Evaluator?"),
        ("422", "update config", "Correct spec.config"),
        ("gateway 404", "check", "Is this URL a NeMo Evaluator?"),
        ("429", "check", ""),
    ],
)
def test_the_message_is_the_evaluators_and_a_hint(error: str, operation: str, hint: str) -> None:
    caught = ERRORS[error]
    message = meaning_of(caught, Operation(operation)).message(caught)
    assert message == (f"{caught.detail}. {hint}" if hint else caught.detail)


def test_the_reasons_after_which_a_submission_is_repeated_are_marked_as_such() -> None:
    """A further try changes no condition: `Reason.retried` says so, and the table which errors lead to it."""
    meanings = [meaning_of(error, Operation.CREATE_JOB) for error in ERRORS.values()]
    repeated = {m.reason for m in meanings if m.retry in {Retry.NOW, Retry.BACKOFF} and not m.may_have_acted}
    assert repeated == {reason for reason in Reason if reason.retried}


@pytest.mark.parametrize("error", ERRORS)
def test_a_job_whose_config_may_be_gone_has_it_verified(error: str) -> None:
    meaning = meaning_of(ERRORS[error], Operation.CREATE_JOB)
    assert meaning.rechecks_config is (error in {"404", "405", "501"})


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("operation", Operation)
def test_only_a_judgement_of_the_object_is_shown_whatever_its_connection_says(
    error: str, operation: Operation
) -> None:
    judgements = {"400", "409", "413", "422"}
    assert meaning_of(ERRORS[error], operation).blames_object is (error in judgements)
