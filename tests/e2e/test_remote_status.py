"""An object says what the evaluator reports of its remote job, also where that does not say how it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import pytest

from testbed.faults import Exchange, FaultProxy
from tests.e2e.operator_stack import OperatorStack
from tests.e2e.scenario import JOB, Scenario, benchmark, eventually, model_job
from tests.e2e.stub_model import StubModel

UNCLEAR: dict[str, tuple[int, Any]] = {
    "answered 500": (500, {"detail": "the database is locked"}),
    "body:": (200, "<html>a proxy's page</html>"),
    '"unknown"': (200, {}),
    **{f'"{word}"': (200, {"status": word}) for word in ("error", "active", "ready")},
}
"""Answers to GET of a job by what its object shows of them."""


@dataclass
class Answers:
    """What the proxy answers to GET of a job in the evaluator's place."""

    code: int = 200
    body: Any = None

    def instead(self, exchange: Exchange) -> tuple[int, bytes] | None:
        """Return the answer; None where the evaluator answers itself."""
        if self.body is None or exchange.method != "GET":
            return None
        if not fnmatchcase(exchange.path, "/v1/evaluation/jobs/*"):
            return None
        if isinstance(self.body, str):
            return self.code, self.body.encode()
        job = {"id": exchange.path.rsplit("/", 1)[1]}
        return self.code, json.dumps({**job, **self.body}).encode()


@pytest.fixture
def proxy(stack: OperatorStack) -> Iterator[FaultProxy]:
    with FaultProxy(stack.evaluator_url) as proxy:
        yield proxy


def unclear_events(scenario: Scenario) -> int:
    selector = "involvedObject.name=run,reason=RemoteStatusUnknown"
    return len(
        json.loads(scenario.kubectl("get", "events", "--field-selector", selector, "-o", "json"))["items"]
    )


def has_events(scenario: Scenario, number: int) -> bool:
    return unclear_events(scenario) == number


def since(scenario: Scenario) -> str | None:
    """When the condition came; None where the object does not have it."""
    conditions = scenario.status(JOB, "run")["conditions"]
    found = [one for one in conditions if one["type"] == "RemoteStatusUnknown" and one["status"] == "True"]
    return found[0]["lastTransitionTime"] if found else None


def test_what_the_evaluator_reports_of_a_job_is_shown_whatever_it_is(
    stack: OperatorStack, proxy: FaultProxy, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    answers = Answers(body={"status": "pending"})
    proxy.instead = answers.instead
    stack.start_evaluator()
    stack.start_operator({"NEMO_POLL_INTERVAL_SECONDS": "0.5"}, evaluator_url=proxy.url)
    scenario.apply(benchmark(), model_job("run"))

    status = scenario.until_reason(JOB, "run", "QueuedInEvaluator")
    assert (status["phase"], scenario.conditions(JOB, "run")) == (
        "Pending",
        {"Ready": "False", "Reconciling": "True"},
    )
    assert status["jobId"] in status["message"]

    for number, (shown, (code, body)) in enumerate(UNCLEAR.items(), start=1):
        answers.body = None
        scenario.until_phase("run", "Running")
        eventually(lambda: since(scenario) is None, "the condition is gone")
        answers.code, answers.body = code, body
        status = scenario.until_reason(JOB, "run", "RemoteStatusUnknown")
        assert shown in status["message"]
        assert (status["phase"], since(scenario) is not None) == ("Running", True)
        eventually(partial(has_events, scenario, number), "one event")

    answers.body = None
    pausable_model.answer_again()
    scenario.until_phase("run", "Succeeded")
    assert unclear_events(scenario) == len(UNCLEAR), "one event each time"
    assert len(scenario.remote_jobs("run")) == 1
