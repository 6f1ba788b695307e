"""Messages with an advice: the cause is a sentence of its own, and can be shown without the advice."""

from __future__ import annotations

import pytest

from nemo_eval_operator.evaluator.model import Rejected, readable
from nemo_eval_operator.lifecycle import ConditionSet, Outcome, cause_of
from nemo_eval_operator.lifecycle.benchmark import status as benchmark_status
from nemo_eval_operator.lifecycle.job import end_status
from nemo_eval_operator.reasons import Reason
from tests.unit.lifecycle.objects import NOW, benchmark, evaljob, followed, intent

REFUSED = Rejected("model 'nope' is not registered", status_code=422)
UNREACHABLE = Rejected("Job cannot be launched: model endpoint cannot be reached", status_code=400)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (end_status.refused(evaljob(status=intent()), NOW, REFUSED).message, REFUSED.detail),
        (
            end_status.refused(evaljob(status=intent(), config={"type": "gsm8k"}), NOW, REFUSED).message,
            REFUSED.detail,
        ),
        (end_status.refused(evaljob(status=intent()), NOW, UNREACHABLE).message, UNREACHABLE.detail),
        (
            end_status.lost(evaljob(status=followed()), NOW).message,
            "the evaluator no longer has job eval-1, which is not run again by itself",
        ),
        (
            benchmark_status.taken(benchmark(), NOW).conditions[0].message,
            "config team-a/qa exists in the evaluator and is not this object's",
        ),
        (
            benchmark_status.taken(benchmark(), NOW, owner="team-b/qa").conditions[0].message,
            "config team-a/qa exists in the evaluator and belongs to team-b/qa: it is left unchanged",
        ),
    ],
)
def test_the_cause_comes_first_as_its_own_sentence(message: str, cause: str) -> None:
    assert message.startswith(f"{cause}. ")
    assert cause_of(message) == cause


def test_a_message_without_advice_is_its_own_cause() -> None:
    assert cause_of("line 3: not JSON. Nothing was run") == "line 3: not JSON. Nothing was run"


def test_a_message_that_is_cut_says_so() -> None:
    assert readable("1234567890", 6) == "12345…"
    assert readable("123456", 6) == "123456"
    message = Outcome(ConditionSet.FAILED, Reason.EVALUATION_FAILED, "x" * 5_000).message
    assert (len(message), message[-2:]) == (4_000, "x…")
