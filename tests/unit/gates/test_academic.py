"""Academic results, as NeMo and the local evaluator give those of lm-eval: by metric, with ranked scores."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from nemo_eval_operator.gates import Evidence, Judgement, Result, evidence_of, gate_of, judge, samples_in
from nemo_eval_operator.json_types import JsonObject

RECORDED = Path(__file__).parents[1] / "lifecycle" / "results" / "lm-harness-gsm8k.json"
STRICT = "exact_match/exact_match/gsm8k-metric_ranking-1"
FLEXIBLE = "exact_match/exact_match/gsm8k-metric_ranking-3"


def academic(*scores: tuple[float, float], task: str = "gsm8k", metric: str = "exact_match") -> JsonObject:
    """A results document with a value and a standard error for each filter of one task."""

    def ranked(place: int) -> JsonObject:
        return {
            f"{task}-metric_ranking-{2 * number + place + 1}": {"value": pair[place]}
            for number, pair in enumerate(scores)
        }

    names: tuple[str, ...] = (metric, f"{metric}_stderr")
    tasks: JsonObject = {
        name: {"metrics": {name: {"scores": ranked(place)}}} for place, name in enumerate(names)
    }
    return {"tasks": tasks}


def archive(task: str = "gsm8k", /, **filters: Sequence[float]) -> bytes:
    """download-results with lm-eval's sample log: the scores of all items by one filter after the other."""
    samples = [
        {
            "item": {"question": f"question {number}"},
            "filter": name.replace("_", "-"),
            "scores": {"exact_match": score},
        }
        for name, scores in filters.items()
        for number, score in enumerate(scores)
    ]
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as files:
        files.writestr(f"samples/{task}.jsonl", "".join(json.dumps(sample) + "\n" for sample in samples))
    return buffer.getvalue()


def logged(document: JsonObject, content: bytes) -> Evidence:
    return evidence_of(document, samples_in(content, lambda value: value))


def verdict(candidate: Evidence, baseline: Evidence | None, score: str = STRICT, **rules: Any) -> Judgement:
    return judge(gate_of({"criteria": [{"score": score, **rules}]}), candidate, baseline)


def test_standard_errors_of_a_recorded_run_are_found() -> None:
    found = evidence_of(json.loads(RECORDED.read_text())["document"])

    assert {score.name: score.stderr for score in found.scores if score.stderr is not None} == {
        STRICT: 0.0119,
        FLEXIBLE: 0.0114,
    }


@pytest.mark.parametrize("separate", [True, False])
def test_without_sample_logs_standard_errors_are_used(separate: bool) -> None:
    """Some documents have the standard errors in the same task."""

    def run(value: float) -> Evidence:
        document = academic((value, 0.01))
        if not separate:
            tasks: dict[str, Any] = document["tasks"]  # type: ignore[assignment]
            tasks["exact_match"]["metrics"] |= tasks.pop("exact_match_stderr")["metrics"]
        return evidence_of(document)

    (found,) = verdict(run(0.70), run(0.70), maxDrop=0.02).criteria
    assert (found.result, found.evidence) == (Result.INCONCLUSIVE, "Unpaired")
    assert (found.delta_low, found.delta_high) == pytest.approx((-0.027718, 0.027718), abs=2e-6)
    assert (found.low, found.high) == pytest.approx((0.680400, 0.719600), abs=2e-6)
    assert found.message.endswith("; no estimate of the items needed: the runs have neither items nor sums")
    assert verdict(run(0.60), run(0.70), maxDrop=0.02).verdict is Result.FAILED
    assert verdict(run(0.75), run(0.70), maxDrop=0.02).verdict is Result.PASSED


BEFORE = [1.0] * 140 + [0.0] * 60
AFTER = [0.0] * 14 + [1.0] * 132 + [0.0] * 54
"""14 items of 200 that only the baseline got right, and 6 that only this run did."""

LENIENT = [1.0] * 160 + [0.0] * 40


def test_with_sample_logs_runs_are_compared_item_by_item() -> None:
    before = logged(academic((0.7, 0.0325), (0.8, 0.0284)), archive(strict=BEFORE, flexible=LENIENT))
    after = logged(academic((0.66, 0.0336), (0.8, 0.0284)), archive(strict=AFTER, flexible=LENIENT))

    (found,) = verdict(after, before, maxDrop=0.02).criteria

    assert (found.evidence, found.items, found.items_needed) == ("Paired", 200, 1941)
    assert (found.delta_low, found.delta_high) == pytest.approx((-0.088532, 0.004179), abs=2e-6)
    assert verdict(after, before, FLEXIBLE, maxDrop=0.02).verdict is Result.PASSED


def test_two_filters_that_agree_on_each_item_are_not_ambiguous() -> None:
    run = logged(academic((0.7, 0.03), (0.7, 0.03)), archive(strict=BEFORE, flexible=BEFORE))

    assert verdict(run, run, maxDrop=0.02).criteria[0].evidence == "Paired"


def test_filters_of_the_same_mean_that_disagree_are_not_guessed() -> None:
    run = logged(academic((0.7, 0.03), (0.7, 0.03)), archive(strict=BEFORE, flexible=BEFORE[::-1]))

    assert verdict(run, run, maxDrop=0.02).criteria[0].evidence == "Unpaired"


@pytest.mark.parametrize(
    "content",
    [archive(strict=[1.0] * 200), archive("mmlu", strict=BEFORE), archive(), b"<html>"],
    ids=["another mean", "another task", "no samples", "no archive"],
)
def test_sample_logs_that_do_not_make_the_score_are_not_used(content: bytes) -> None:
    run = logged(academic((0.7, 0.03)), content)

    assert verdict(run, run, maxDrop=0.02).criteria[0].evidence == "Unpaired"


def test_metrics_that_lm_eval_gives_no_standard_error_have_a_value_only() -> None:
    document = {
        "tasks": {"bleu": {"metrics": {"bleu": {"scores": {"wmt-metric_ranking-1": {"value": 30.0}}}}}}
    }
    (found,) = verdict(evidence_of(document), evidence_of(document), "bleu", maxDrop=1.0).criteria  # type: ignore[arg-type]

    assert found.reason == "NoStatistics"
