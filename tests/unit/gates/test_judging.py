"""Verdicts: a margin is tested with an interval, and whatever is missing is never a pass."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.gates import (
    Evidence,
    Gate,
    Judgement,
    PolicyInvalid,
    Result,
    evidence_of,
    gate_of,
    judge,
)
from nemo_eval_operator.json_types import JsonObject
from tests.unit.gates.documents import NAME, document, results, stats


def flipped(
    right: int, wrong: int, only_baseline: int, only_candidate: int
) -> tuple[list[float], list[float]]:
    """Scores of two runs of the same items."""
    pairs = [(1.0, 1.0)] * right + [(0.0, 0.0)] * wrong
    pairs += [(1.0, 0.0)] * only_baseline + [(0.0, 1.0)] * only_candidate
    return [before for before, _ in pairs], [after for _, after in pairs]


def a_gate(document: Any) -> Gate:
    return gate_of(document)


def verdict(candidate: JsonObject, baseline: JsonObject | None = None, /, **rules: Any) -> Judgement:
    gate: dict[str, Any] = {"criteria": [{"score": NAME, **rules}]}
    return judge(a_gate(gate), evidence_of(candidate), evidence_of(baseline) if baseline else None)


def test_a_floor_is_judged_by_the_value() -> None:
    run = results([1.0] * 70 + [0.0] * 30)

    assert verdict(run, minimum=0.7).verdict is Result.PASSED
    assert verdict(run, minimum=0.71).verdict is Result.FAILED


def test_a_floor_may_be_judged_by_the_bound_of_the_interval() -> None:
    run = results([1.0] * 70 + [0.0] * 30)

    assert verdict(run, minimum=0.70, by="Confidence").verdict is Result.INCONCLUSIVE
    assert verdict(run, minimum=0.60, by="Confidence").verdict is Result.PASSED
    assert verdict(run, minimum=0.80, by="Confidence").verdict is Result.FAILED


@pytest.mark.parametrize(
    ("counts", "allowed", "expected"),
    [
        ((900, 30, 60, 10), 0.02, Result.FAILED),
        ((900, 91, 4, 5), 0.02, Result.PASSED),
        ((120, 60, 14, 6), 0.02, Result.INCONCLUSIVE),
        ((120, 60, 14, 6), 0.10, Result.PASSED),
    ],
)
def test_a_drop_is_judged_by_pairs(
    counts: tuple[int, int, int, int], allowed: float, expected: Result
) -> None:
    before, after = flipped(*counts)

    (found,) = verdict(results(after), results(before), maxDrop=allowed).criteria

    assert found.result is expected
    assert found.evidence == "Paired"
    assert found.items == len(before)


def test_an_inconclusive_drop_says_how_many_items_would_decide() -> None:
    before, after = flipped(120, 60, 14, 6)

    (found,) = verdict(results(after), results(before), maxDrop=0.02).criteria

    assert found.items_needed == 1941
    assert "about 1,941 items would decide" in found.message
    assert (found.delta_low, found.delta_high) == pytest.approx((-0.088532, 0.004179), abs=2e-6)


@pytest.mark.parametrize(
    ("counts", "rules", "why"),
    [
        (
            (16, 7, 1, 0),
            {"maxDrop": 0.2},
            "the 24 compared would be enough for a run as good as its baseline",
        ),
        ((16, 7, 1, 0), {"maxDrop": 0}, "that takes a maxDrop above 0"),
        ((16, 7, 1, 0), {"maxRelativeDrop": 0.1}, "that takes a maxDrop above 0"),
        ((16, 7, 1, 0), {"maxDrop": 1e-7}, "the margin is too small, or the items are too few"),
    ],
)
def test_an_inconclusive_drop_says_why_it_has_no_estimate(
    counts: tuple[int, int, int, int], rules: dict[str, float], why: str
) -> None:
    before, after = flipped(*counts)

    (found,) = verdict(results(after), results(before), **rules).criteria

    assert found.result is Result.INCONCLUSIVE
    assert found.items_needed is None
    assert found.message.endswith(f"; no estimate of the items needed: {why}")


def test_items_are_paired_by_content_and_not_by_their_place() -> None:
    before, after = flipped(60, 20, 0, 20)
    names = [f"question {number}" for number in range(100)]

    (found,) = verdict(
        results([*reversed(after)], items=[*reversed(names)]), results(before, items=names), maxDrop=0.0
    ).criteria

    assert found.delta == pytest.approx(0.2)
    assert found.result is Result.PASSED


def test_items_that_occur_twice_are_counted_twice() -> None:
    (found,) = verdict(
        results([1.0, 0.0] * 20, items=["same"] * 40),
        results([1.0, 1.0] * 20, items=["same"] * 40),
        maxDrop=0.9,
    ).criteria

    assert found.items == 40
    assert found.delta == pytest.approx(-0.5)


def test_runs_of_other_items_are_not_compared() -> None:
    run, other = results([1.0] * 50), results([1.0] * 50, items=[f"other {number}" for number in range(50)])

    (found,) = verdict(run, other, maxDrop=0.5).criteria

    assert found.result is Result.INCONCLUSIVE
    assert found.message.startswith("ItemsDiffer: 0 items are in both runs")


def test_without_rows_runs_are_compared_by_their_sums() -> None:
    before, after = (
        results([1.0] * 144 + [0.0] * 56, rows=False),
        results([1.0] * 136 + [0.0] * 64, rows=False),
    )

    (found,) = verdict(after, before, maxDrop=0.02).criteria

    assert found.evidence == "Unpaired"
    assert (found.delta_low, found.delta_high) == pytest.approx((-0.12877, 0.049636), abs=1e-5)
    assert found.result is Result.INCONCLUSIVE


def test_the_first_rows_of_a_long_run_are_not_taken_for_the_run() -> None:
    """A document holds the first 1,000 samples; the sums cover all."""
    whole = stats([1.0] * 4000 + [0.0] * 1000)
    samples = [{"item": number, "scores": {"answered": {"string-check": 1.0}}} for number in range(1000)]
    run = document(whole, samples)

    (found,) = verdict(run, run, maxDrop=0.05).criteria

    assert found.evidence == "Unpaired"
    assert found.items == 5000
    assert found.value == pytest.approx(0.8)


def test_a_score_whose_smaller_values_are_better() -> None:
    before, after = (
        results([0.30 + 0.001 * n for n in range(50)]),
        results([0.40 + 0.001 * n for n in range(50)]),
    )

    assert verdict(after, before, maxDrop=0.05, direction="LowerIsBetter").verdict is Result.FAILED
    assert verdict(before, after, maxDrop=0.05, direction="LowerIsBetter").verdict is Result.PASSED
    assert verdict(after, maximum=0.5, direction="LowerIsBetter").verdict is Result.PASSED
    assert verdict(after, maximum=0.4, direction="LowerIsBetter").verdict is Result.FAILED


@pytest.mark.parametrize(("direction", "worse"), [("HigherIsBetter", 0.9), ("LowerIsBetter", 1.1)])
def test_a_relative_drop_is_a_share_of_the_baseline(direction: str, worse: float) -> None:
    before = [2.0 + 0.01 * (n % 7) for n in range(60)]
    after = [value * worse for value in before]

    for allowed, expected in ((0.05, Result.FAILED), (0.15, Result.PASSED)):
        judged = verdict(results(after), results(before), maxRelativeDrop=allowed, direction=direction)
        assert judged.verdict is expected, allowed


def test_a_relative_rule_may_end_where_the_baseline_is_good() -> None:
    before, after = results([0.9, 0.92] * 30), results([0.8, 0.82] * 30)
    rules = {"maxDrop": 0.5, "maxRelativeDrop": 0.01}

    assert verdict(after, before, **rules).verdict is Result.FAILED
    assert verdict(after, before, **rules, relativeDropBelow=0.5).verdict is Result.PASSED


def test_a_relative_rule_that_does_not_apply_is_skipped() -> None:
    before, after = results([0.9, 0.92] * 30), results([0.8, 0.82] * 30)
    rules = {"maxRelativeDrop": 0.01, "relativeDropBelow": 0.5}

    judged = verdict(after, before, **rules)

    assert judged.criteria[0].result is Result.SKIPPED
    assert "applies to a baseline below 0.5 only" in judged.criteria[0].message


def test_a_relative_drop_of_few_items_is_not_decided_by_luck() -> None:
    run = results([1.0] * 3)

    assert verdict(run, run, maxRelativeDrop=0.01).verdict is Result.INCONCLUSIVE


def test_samples_that_are_left_of_a_document_are_no_evidence() -> None:
    cut = {**document(None, [{"item": n, "scores": {"answered": {"string-check": 1.0}}} for n in range(50)])}

    assert verdict({**cut, "truncated": "rows"}, cut, maxDrop=0.5).verdict is Result.INCONCLUSIVE
    assert verdict(cut, cut, maxDrop=0.5).verdict is Result.PASSED


def test_no_flips_in_ten_items_do_not_prove_equality() -> None:
    run = results([1.0] * 10)

    (found,) = verdict(run, run, maxDrop=0.02).criteria

    assert found.result is Result.INCONCLUSIVE
    assert (found.delta_low, found.delta_high) == pytest.approx((-0.277533, 0.277533), abs=2e-6)


NOTHING: JsonObject = {"tasks": {}}
NO_NUMBER = document({**stats([1.0]), "mean": None, "nan_count": 4})
CORPUS = document(None)
"""A score without statistics, as the BLEU of a corpus."""


@pytest.mark.parametrize(
    ("candidate", "baseline", "rules", "reason"),
    [
        (NOTHING, None, {"minimum": 0.0}, "ScoreMissing: the run has no score"),
        (NO_NUMBER, None, {"minimum": 0.0}, "ScoreMissing"),
        (results([1.0] * 50), None, {"maxDrop": 0.5}, "BaselineMissing"),
        (results([1.0] * 50), NOTHING, {"maxDrop": 0.5}, "ScoreMissing: the baseline has no score"),
        (results([1.0] * 50), NO_NUMBER, {"maxDrop": 0.5}, "ScoreMissing"),
        (results([1.0] * 50, nan=5), None, {"minimum": 0.5}, "TooManyNaN: 9.1% of the items have no score"),
        (CORPUS, CORPUS, {"maxDrop": 0.5}, "NoStatistics"),
        (CORPUS, None, {"minimum": 0.1, "by": "Confidence"}, "NoStatistics"),
        (
            results([0.5, 0.6]),
            results([0.5, 0.6]),
            {"maxDrop": 0.5},
            "NoStatistics: 0.55 against 0.55, allowed drop 0.5, 2 items, fewer than minimumItems (30)",
        ),
    ],
)
def test_what_is_missing_is_never_a_pass(
    candidate: JsonObject, baseline: JsonObject | None, rules: dict[str, Any], reason: str
) -> None:
    judged = verdict(candidate, baseline, **rules)

    assert judged.verdict is Result.INCONCLUSIVE
    assert not judged.passed
    assert judged.criteria[0].message.startswith(reason)


@pytest.mark.parametrize("field", ["sum_squared", "sum", "count"])
def test_sums_that_no_run_can_have_are_no_evidence(field: str) -> None:
    odd = document({**stats([1.0] * 50), field: 1e308})

    assert verdict(odd, odd, maxDrop=0.5).verdict is Result.INCONCLUSIVE
    assert verdict(results([1e160, 1.0] * 50), minimum=0.0).verdict is not Result.PASSED


def test_some_items_without_a_score_may_be_allowed() -> None:
    assert verdict(results([1.0] * 50, nan=5), minimum=0.5, maxNaNFraction=0.1).verdict is Result.PASSED


def test_a_name_that_may_mean_two_scores_is_not_guessed() -> None:
    found = evidence_of(results([1.0] * 50))
    both = Evidence((*found.scores, *found.scores))

    judged = judge(a_gate({"criteria": [{"score": "answered", "minimum": 0.5}]}), both, None)

    assert judged.verdict is Result.INCONCLUSIVE
    assert "say which" in judged.criteria[0].message


@pytest.mark.parametrize(
    "name", ["answered", "qa/answered", "answered/string-check", "qa/string-check", NAME]
)
def test_a_score_is_named_as_shortly_as_it_is_unique(name: str) -> None:
    gate = a_gate({"criteria": [{"score": name, "minimum": 0.5}]})

    assert judge(gate, evidence_of(results([1.0] * 50)), None).verdict is Result.PASSED


@pytest.mark.parametrize(
    ("tier", "expected"),
    [("Critical", Result.FAILED), ("Supporting", Result.INCONCLUSIVE), ("Advisory", Result.PASSED)],
)
def test_a_tier_says_what_a_failure_means(tier: str, expected: Result) -> None:
    criteria = [
        {"score": "answered", "minimum": 0.5},
        {"score": NAME, "minimum": 0.99, "tier": tier},
    ]
    run = evidence_of(results([1.0] * 60 + [0.0] * 40))

    judged = judge(a_gate({"criteria": criteria}), run, None)

    assert judged.verdict is expected
    assert judged.passed is (expected is Result.PASSED)


def test_the_first_run_of_a_series_may_have_no_baseline() -> None:
    gate = {"criteria": [{"score": NAME, "minimum": 0.5, "maxDrop": 0.02}], "ifNoBaseline": "Skip"}

    assert judge(a_gate(gate), evidence_of(results([1.0] * 50)), None).verdict is Result.PASSED
    assert judge(a_gate(gate), evidence_of(results([0.0] * 50)), None).verdict is Result.FAILED


def test_an_inconclusive_gate_may_let_pass_and_says_so() -> None:
    gate = {"criteria": [{"score": NAME, "maxDrop": 0.02}], "onInconclusive": "Pass"}

    judged = judge(a_gate(gate), evidence_of(results([1.0] * 50)), None)

    assert judged.verdict is Result.INCONCLUSIVE
    assert judged.passed


def test_a_policy_may_ask_for_the_values_alone() -> None:
    gate = {"criteria": [{"score": NAME, "maxDrop": 0.1}], "evidence": "PointEstimate"}

    assert judge(a_gate(gate), evidence_of(CORPUS), evidence_of(CORPUS)).verdict is Result.PASSED


def test_judging_twice_gives_the_same() -> None:
    before, after = flipped(120, 60, 14, 6)

    assert verdict(results(after), results(before), maxDrop=0.02) == verdict(
        results(after), results(before), maxDrop=0.02
    )


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"criteria": []}, "criteria: must not be empty"),
        ({"criteria": [{"score": "a"}]}, "criteria[0]: needs a rule"),
        (
            {"criteria": [{"score": "a", "minimum": float("nan")}]},
            "criteria[0].minimum: must be at most 1e+15",
        ),
        (
            {"criteria": [{"score": "a", "maxDrop": float("inf")}]},
            "criteria[0].maxDrop: must be at most 1e+15",
        ),
        ({"criteria": [{"score": "a", "minimum": 2, "maximum": 1}]}, "criteria[0]: minimum is above maximum"),
        ({"criteria": [{"score": "a", "minimum": 0, "tier": "Advisory"}]}, "at least one criterion"),
        ({"criteria": [{"score": "a", "minimum": 0}] * 2}, "score a has two criteria"),
        (
            {"criteria": [{"score": "a", "minimum": 0, "direction": "LowerIsBetter"}]},
            "criteria[0]: direction LowerIsBetter contradicts minimum",
        ),
        ({"criteria": [{"score": "a", "maximum": 1}]}, "criteria[0]: direction HigherIsBetter contradicts"),
        ({"criteria": [{"score": "a", "min": 1}]}, "criteria[0].min: unknown field; did you mean minimum?"),
        ({"kind": "NemoEvalJob", "spec": {}}, "spec.gate: this NemoEvalJob has no gate"),
        ({"version": 1, "benchmarks": {}}, "benchmarks: must not be empty"),
        (
            {"version": 1, "benchmarks": {"a": {"max_dorp": 1}}},
            "benchmarks.a.max_dorp: unknown field; did you mean max_drop?",
        ),
        ([], "expected a gate with criteria"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_with_its_path(policy: Any, message: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        gate_of(policy)

    assert str(refused.value).startswith(message)


def test_a_policy_of_nel_gate_is_read_in_its_words() -> None:
    policy = {
        "version": 1,
        "defaults": {"max_drop": 0.02},
        "benchmarks": {
            "gsm8k": {"tier": "critical", "max_relative_drop": 0.05, "relative_guard_below": 0.5},
            "safety": {"tier": "advisory", "direction": "lower_is_better", "metric": "pass@1"},
            "mmlu": None,
        },
    }

    gsm8k, safety, mmlu = a_gate(policy).criteria

    assert (gsm8k.score, gsm8k.tier, gsm8k.max_drop) == ("gsm8k/mean_reward", "Critical", 0.02)
    assert (gsm8k.max_relative_drop, gsm8k.relative_drop_below) == (0.05, 0.5)
    assert (safety.score, safety.tier, safety.direction) == ("safety/pass@1", "Advisory", "LowerIsBetter")
    assert (mmlu.tier, mmlu.max_drop) == ("Supporting", 0.02)
