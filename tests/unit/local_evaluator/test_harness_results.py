"""lm-eval's scores in the shape that NeMo gives them."""

import json
from pathlib import Path

from nemo_local_evaluator.harness import ranked_scores

RECORDED = Path(__file__).parents[1] / "lifecycle" / "results" / "lm-harness-gsm8k.json"


def test_scores_of_gsm8k_come_as_recorded() -> None:
    scores = {
        "gsm8k": {
            "name": "gsm8k",
            "alias": "gsm8k",
            "sample_len": 1319,
            "exact_match,flexible-extract": 0.7809,
            "exact_match_stderr,flexible-extract": 0.0114,
            "exact_match,strict-match": 0.7541,
            "exact_match_stderr,strict-match": 0.0119,
        }
    }
    filters = {"gsm8k": ["strict-match", "flexible-extract"]}
    assert ranked_scores(scores, filters) == json.loads(RECORDED.read_text())["document"]["tasks"]


def test_tasks_of_a_group_share_a_metric() -> None:
    scores = {
        "mmlu_anatomy": {"acc,none": 0.5, "acc_stderr,none": 0.25},
        "mmlu_virology": {"acc,none": 1, "acc_stderr,none": 0.0},
    }
    assert ranked_scores(scores, {})["acc"] == {
        "metrics": {
            "acc": {
                "scores": {
                    "mmlu_anatomy-metric_ranking-1": {"value": 0.5},
                    "mmlu_virology-metric_ranking-1": {"value": 1},
                }
            }
        }
    }


def test_what_is_no_number_keeps_its_place() -> None:
    metrics = {"bleu,none": 3.0, "bleu_stderr,none": "N/A", "chrf,none": float("nan"), "ter,none": 4.0}
    ranked = ranked_scores({"wmt": metrics}, {"wmt": ["none"]})
    assert list(ranked) == ["bleu", "ter"]
    assert ranked["ter"]["metrics"]["ter"]["scores"] == {"wmt-metric_ranking-4": {"value": 4.0}}
