"""The circuit breaker does with a failed call what the table of evaluator errors says."""

from __future__ import annotations

import httpx
import pytest

from nemo_eval_operator.evaluator.model import Ambiguous, EvaluatorError, Malformed, Rejected, Unavailable
from nemo_eval_operator.lifecycle import BreakerAction, Operation, meaning_of
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.sessions import CircuitBreaker, JobTracker
from nemo_eval_operator.workqueue import WorkQueue
from tests.unit.evaluator.scripted import Scripted, answering, breaking


def breaker_of(evaluator: Scripted) -> CircuitBreaker:
    return CircuitBreaker(evaluator.client, WorkQueue(), JobTracker(), Heartbeat(60))


HEALTHY: dict[str, list[object]] = {"data": []}

ERRORS: list[EvaluatorError] = [
    Unavailable("refused"),
    Unavailable("who are you", status_code=401),
    Ambiguous("no answer"),
    Ambiguous("bad gateway", status_code=503),
    Malformed("no JSON"),
    Rejected("no", status_code=422),
]


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("error", ERRORS, ids=str)
async def test_only_what_the_table_says_trips_it(error: EvaluatorError, operation: Operation) -> None:
    action = meaning_of(error, operation).breaker
    healthy, gone = answering(200, HEALTHY), breaking(httpx.ConnectError("refused"))
    breakers = breaker_of(healthy), breaker_of(gone)
    for breaker in breakers:
        await breaker.record_failure(error, operation)

    tripped = [breaker.outage is not None for breaker in breakers]
    probes = [len(healthy.requests), len(gone.requests)]
    assert (tripped, probes) == {
        BreakerAction.TRIP: ([True, True], [0, 0]),
        BreakerAction.PROBE: ([False, True], [1, 1]),
        BreakerAction.LEAVE: ([False, False], [0, 0]),
    }[action]


async def test_failures_during_an_outage_send_no_probes_of_their_own() -> None:
    gone = breaking(httpx.ConnectError("refused"))
    breaker = breaker_of(gone)
    breaker.trip(Unavailable("refused"))
    for operation in Operation:
        await breaker.record_failure(Ambiguous("no answer"), operation)
    assert not gone.requests


async def test_a_probe_that_fails_as_well_gives_the_reason() -> None:
    breaker = breaker_of(answering(401, {"detail": "who are you"}))
    await breaker.record_failure(Ambiguous("no answer"), Operation.READ_JOB)
    assert "who are you" in (breaker.outage or "")
