"""The items that a bound judged by confidence needs: their power by exact distributions, and the words."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy import stats

from nemo_eval_operator.gates import CriterionResult, Result, evidence_of, gate_of, judge
from nemo_eval_operator.gates.statistics import mean_items_needed, proportion_items_needed, wilson
from nemo_eval_operator.json_types import JsonObject
from tests.unit.gates.documents import NAME, document, results
from tests.unit.gates.documents import stats as sums

POWER = 0.8


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize(
    ("share", "bound"), [(0.75, 0.7), (0.65, 0.7), (0.92, 0.9), (0.87, 0.9), (0.5, 0.45), (0.05, 0.1)]
)
def test_so_many_right_or_wrong_items_decide_four_times_out_of_five(
    share: float, bound: float, confidence: float
) -> None:
    """By the binomial distribution; its steps and its skewness move the power by a few points."""
    items = proportion_items_needed(share, bound, confidence)
    assert items is not None

    def excludes(successes: int) -> bool:
        low, high = wilson(successes, items or 0, confidence)
        return low >= bound if share > bound else high < bound

    decided = math.fsum(stats.binom.pmf(k, items, share) for k in range(items + 1) if excludes(k))
    assert decided == pytest.approx(POWER, abs=0.03)


@pytest.mark.parametrize("bound", [0.5, 0.9, 0.99])
def test_items_that_are_all_right_need_just_enough(bound: float) -> None:
    needed = proportion_items_needed(1.0, bound, 0.95)

    assert needed is not None
    assert wilson(needed, needed, 0.95).low >= bound > wilson(needed - 1, needed - 1, 0.95).low


@pytest.mark.parametrize(("variance", "distance"), [(0.09, 0.05), (0.09, -0.02), (400.0, 3.0)])
def test_so_many_items_with_other_scores_decide_four_times_out_of_five(
    variance: float, distance: float
) -> None:
    """By the noncentral t distribution."""
    items = mean_items_needed(variance, distance, 0.95)
    assert items is not None

    shift = abs(distance) * math.sqrt(items / variance)
    decided = stats.nct.sf(stats.t.ppf(0.975, items - 1), items - 1, shift)

    assert decided == pytest.approx(POWER, abs=0.01)


@pytest.mark.parametrize(
    ("share", "bound"), [(0.7, 0.7), (1.0, 1.0), (0.5, 0.0), (0.5, 1.5), (0.5, math.nextafter(0.5, 1))]
)
def test_a_score_at_its_bound_or_a_bound_that_no_share_crosses_has_no_estimate(
    share: float, bound: float
) -> None:
    assert proportion_items_needed(share, bound, 0.95) is None


@pytest.mark.parametrize("distance", [0.0, 5e-324, 1e-9])
def test_a_mean_at_its_bound_has_no_estimate(distance: float) -> None:
    assert mean_items_needed(0.1, distance, 0.95) is None


def judged(run: JsonObject, **rules: Any) -> CriterionResult:
    gate = gate_of({"criteria": [{"score": NAME, "by": "Confidence", **rules}]})
    (found,) = judge(gate, evidence_of(run), evidence_of(run)).criteria
    return found


@pytest.mark.parametrize(
    ("rules", "items"),
    [
        ({"minimum": 0.66}, 1080),
        ({"minimum": 0.74}, 970),
        ({"maximum": 0.74, "direction": "LowerIsBetter"}, 970),
    ],
)
def test_an_undecided_bound_says_how_many_items_would_decide(rules: dict[str, float], items: int) -> None:
    found = judged(results([1.0] * 70 + [0.0] * 30), **rules)

    assert (found.result, found.items, found.items_needed) == (Result.INCONCLUSIVE, 100, items)
    assert found.message.endswith(f"; about {items:,} items would decide if the score stays at 0.7")


def test_an_undecided_bound_of_a_mean_says_so_too() -> None:
    found = judged(document(sums([0.2, 0.4, 0.9, 0.5] * 10)), minimum=0.45)

    assert found.items_needed == mean_items_needed(0.0666666, 0.05, 0.95)
    assert found.message.endswith("items would decide if the score stays at 0.5")


@pytest.mark.parametrize("rules", [{"minimum": 0.5}, {"minimum": 0.9}, {"minimum": 0.66, "by": "Value"}])
def test_a_decided_bound_names_no_number_of_items(rules: dict[str, Any]) -> None:
    found = judged(results([1.0] * 70 + [0.0] * 30), **rules)

    assert found.result is not Result.INCONCLUSIVE
    assert found.items_needed is None
    assert "items" not in found.message


@pytest.mark.parametrize(
    ("run", "minimum", "why"),
    [
        (results([1.0] * 70 + [0.0] * 30), 0.7, "the score is too near its bound, or the items are too few"),
        (document(sums([0.0, 0.5, 1.0])), 1.4, "the items are too few"),
    ],
)
def test_an_undecided_bound_without_an_estimate_says_why(run: JsonObject, minimum: float, why: str) -> None:
    criterion: JsonObject = {"score": NAME, "by": "Confidence", "minimum": minimum}
    gate = gate_of({"criteria": [criterion], "minimumItems": 2})

    (found,) = judge(gate, evidence_of(run), None).criteria

    assert (found.result, found.items_needed) == (Result.INCONCLUSIVE, None)
    assert found.message.endswith(f"; no estimate of the items needed: {why}")


def test_of_a_bound_and_a_drop_the_larger_number_counts() -> None:
    run = results([1.0] * 70 + [0.0] * 30)

    for rules, items in (
        ({"minimum": 0.66, "maxDrop": 0.02}, 1080),
        ({"minimum": 0.5, "maxDrop": 0.02}, 189),
    ):
        found = judged(run, **rules)
        assert (found.result, found.items_needed) == (Result.INCONCLUSIVE, items)
