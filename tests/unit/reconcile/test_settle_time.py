"""When "not found" is proof that a job was never created: after an outage, and when the clock is set."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import httpx
import pytest
from typing_extensions import override

from nemo_eval_operator.sessions import job_search
from tests.unit.reconcile.answers import (
    EVERY,
    MAYBE_DONE,
    SUBMISSION,
    Answer,
    Evaluator,
    Stage,
    intent,
    manifest,
    on,
)
from tests.unit.reconcile.objects_api import ObjectsApi

SETTLE = timedelta(hours=1)
LOOK_UP = on("GET", "/jobs")


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("GATHER_SECONDS", "REST_SECONDS", "NAMESPACE_REST_SECONDS", "SWEEP_SHARE"):
        monkeypatch.setattr(job_search, pause, 0.0)
    monkeypatch.setattr(job_search, "NAMESPACE_SHARE", 0.0)


class Clock:
    """Sets the clock of the system forward, for all modules of the operator."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta()
        clock = self

        class Shifted(datetime):
            @classmethod
            @override
            def now(cls, tz: tzinfo | None = None) -> Self:
                return cls.fromtimestamp((datetime.now(tz) + clock.ahead).timestamp(), tz)

        for name, module in list(sys.modules.items()):
            if name.startswith("nemo_eval_operator.") and getattr(module, "datetime", None) is datetime:
                monkeypatch.setattr(module, "datetime", Shifted)


def submitted_long_ago(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return a stage whose process has known for longer than the settle time that an answer is missing."""
    long_ago = datetime.now(UTC) - 2 * SETTLE
    stage = Stage(evaluator, ObjectsApi(manifest(intent(10))), settle=SETTLE)
    monkeypatch.setattr("nemo_eval_operator.reconcile.job.submission.steady_now", lambda: long_ago)
    monkeypatch.setattr(stage.breaker, "reachable_since", long_ago)
    return stage


async def test_a_clock_that_is_set_forward_makes_no_look_up_conclusive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    evaluator = Evaluator(SUBMISSION, EVERY["504"])
    stage = Stage(evaluator, ObjectsApi(manifest()), settle=SETTLE)
    await stage.look()
    assert stage.reason == "SubmissionUncertain"

    clock.ahead = 2 * SETTLE
    for _ in range(3):
        rest = await stage.look()

    assert evaluator.posts() == 1
    assert rest is not None
    assert rest > SETTLE.total_seconds() - 60


@pytest.mark.parametrize("answer", MAYBE_DONE.values(), ids=MAYBE_DONE)
async def test_after_a_look_up_that_failed_the_settle_time_begins_again(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluator that stood still behind a gateway goes on with the submissions that it had."""
    evaluator = Evaluator(LOOK_UP, answer)
    stage = submitted_long_ago(evaluator, monkeypatch)
    await stage.look()
    assert evaluator.struck

    for _ in range(3):
        stage.breaker.outage = None
        rest = await stage.look()

    assert evaluator.posts() == 0
    assert rest is not None
    assert rest > SETTLE.total_seconds() - 60


async def test_without_such_a_failure_a_look_up_after_the_settle_time_is_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluator = Evaluator(lambda _: False, lambda: httpx.Response(200))
    stage = submitted_long_ago(evaluator, monkeypatch)

    await stage.look_until(stage.is_followed)

    assert evaluator.posts() == 1
