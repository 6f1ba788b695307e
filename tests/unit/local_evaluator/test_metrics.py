"""Scores against published reference numbers and examples worked by hand."""

import math
from typing import Any

import pytest

from nemo_local_evaluator.evaluations.scores import Sample, TaskScores
from nemo_local_evaluator.metrics import Scored
from nemo_local_evaluator.metrics.squad import normalise
from nemo_local_evaluator.scoring import MetricSpec
from tests.unit.local_evaluator.harness import Evaluator, data_config, rows_target, string_check

REFERENCE = {"references": ["{{item.reference}}"]}


def row(output: str, reference: str) -> dict[str, str]:
    return {"output_text": output, "reference": reference}


@pytest.mark.parametrize(
    ("left", "operator", "right", "score"),
    [
        ("Paris", "equals", "Paris", 1),
        ("Paris ", "equals", "Paris", 0),
        ("{{ ' Paris' | trim | lower }}", "equals", "paris", 1),
        ("Paris", "not equals", "Rome", 1),
        ("It is Paris.", "contains", "Paris", 1),
        ("It is Paris.", "not contains", "Paris", 0),
        ("It is Paris.", "startswith", "It", 1),
        ("It is Paris.", "endswith", "Paris", 0),
        ("Paris", "==", "Paris", 1),
        ("Paris", "!=", "Paris", 0),
        ("Paris", "<>", "paris", 1),
        ("{{item.n}}", "equals", 4, 1),
    ],
)
async def test_string_check(server: Evaluator, left: str, operator: str, right: object, score: float) -> None:
    scores = await server.scores(data_config(string_check(left, operator, right)), rows_target({"n": 4}))
    assert scores["string-check"]["value"] == score


async def test_number_check(server: Evaluator) -> None:
    checks: dict[str, tuple[list[object], float]] = {
        "equals": (["4", "equals", 4], 1),
        "==": (["{{item.n}}", "==", "4.0"], 1),
        "not equals": (["4", "not equals", 4], 0),
        "!=": (["4", "!=", 5], 1),
        "<>": (["4", "<>", 5], 1),
        ">": ([4, ">", 4], 0),
        "gt": ([5, "gt", 4], 1),
        "greater than": ([5, "greater than", 4], 1),
        ">=": ([4, ">=", 4], 1),
        "gte": ([3.5, "gte", 4], 0),
        "greater than or equal": ([4, "greater than or equal", 4], 1),
        "<": ([4, "<", 4], 0),
        "lt": ([-5, "lt", 4], 1),
        "less than": ([4, "less than", 5], 1),
        "<=": ([4, "<=", 4], 1),
        "lte": ([5, "lte", 4], 0),
        "less than or equal": ([4, "less than or equal", 4], 1),
        "near": (["absolute difference", 42.5, "42.3", "epsilon", 0.2], 1),
        "far": (["absolute difference", 99, 101, "epsilon", "{{item.n / 4}}"], 0),
        "the last number counts": (["2 and 2 is 4, I say: 4!", "equals", 4], 1),
        "thousands": (["1,024,000.5 bytes", "equals", "1024000.5"], 1),
        "exponents": (["about 5e-1", "equals", ".5"], 1),
        "signs": (["minus: -3", "<", "+3"], 1),
        "large": ([2**53, "==", 2**53 + 1], 0),
    }
    config = data_config()
    config["tasks"]["qa"]["metrics"] = {
        name: {"type": "number-check", "params": {"check": check}} for name, (check, _) in checks.items()
    }
    job = await server.run(config, rows_target({"n": 4}))
    assert job["status"] == "completed", job["status_details"]
    metrics = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]["metrics"]
    found = {name: metric["scores"]["number-check"]["value"] for name, metric in metrics.items()}
    assert found == {name: score for name, (_, score) in checks.items()}


async def test_what_is_no_number_is_counted_and_explained(server: Evaluator) -> None:
    metric = {"type": "number-check", "params": {"check": ["{{item.n}}", ">", 3]}}
    rows = rows_target({"n": "4"}, {"n": "four"}, {"n": ""}, {"n": f"1e{10**30}"})
    config = data_config(metric)
    score = (await server.scores(config, rows))["number-check"]
    assert (score["value"], score["stats"]["nan_count"]) == (1, 3)
    job = await server.run(config, rows)
    samples = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]["data"]["samples"]
    assert samples[1]["error"] == "metric 'score': no number in 'four'"


async def test_a_difference_that_is_no_number_is_counted_and_explained(server: Evaluator) -> None:
    check = ["absolute difference", "{{item.n}}", "-9e999999", "epsilon", 1]
    config = data_config({"type": "number-check", "params": {"check": check}})
    job = await server.run(config, rows_target({"n": "9e999999"}, {"n": "-9e999999"}))
    task = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]
    assert task["metrics"]["score"]["scores"]["number-check"]["value"] == 1
    assert task["data"]["samples"][0]["error"] == "metric 'score': the difference is too large a number"


@pytest.mark.parametrize(
    ("kind", "params", "complaint"),
    [
        ("bert", {}, "metric type 'bert' is unknown; known are accuracy, bleu, em, f1, llm-judge, number"),
        ("number-check", {}, "metric 'number-check': params.check: is required"),
        ("number-check", {"check": [1, "near", 1]}, "params.check.1: must be 'equals'"),
        ("number-check", {"check": ["absolute difference", 1, 1]}, "params.check.3: is required"),
        ("string-check", {"check": ["a", "is", "b"]}, "params.check.1: must be 'equals'"),
        ("bleu", {}, "metric 'bleu': params.references: is required"),
        ("accuracy", {"references": []}, "params.references: must not be empty"),
        ("f1", {"reference": "a"}, "metric 'f1': params.references: is required"),
        ("tool-calling", {}, "metric 'tool-calling': params.tool_calls_ground_truth: is required"),
        ("llm-judge", {"model": "m"}, "model 'm' is not registered"),
    ],
)
async def test_params_that_are_wrong_are_refused_by_their_place(
    server: Evaluator, kind: str, params: dict[str, Any], complaint: str
) -> None:
    job = {"config": data_config({"type": kind, "params": params}), "target": rows_target({})}
    assert complaint in await server.refused(400, "POST", "jobs", job)


async def test_statistics_are_the_population_s(server: Evaluator) -> None:
    rows = [{"n": n} for n in (1, 1, 1, 0)] + [{}]
    scores = await server.scores(data_config(string_check("{{item.n}}", "equals", "1")), rows_target(*rows))
    score = scores["string-check"]
    assert score["value"] == 0.75
    assert score["stats"] == pytest.approx(
        {
            "count": 4,
            "sum": 3.0,
            "sum_squared": 3.0,
            "mean": 0.75,
            "min": 0.0,
            "max": 1.0,
            "variance": 0.1875,
            "stddev": 0.4330127,
            "stderr": 0.2165064,
            "nan_count": 1,
        }
    )


async def test_bleu_is_sacrebleu_s(server: Evaluator) -> None:
    # The example of sacrebleu's README: BLEU = 48.53 with two references.
    rows = [
        {"output_text": "The dog bit the man.", "a": "The dog bit the man.", "b": "The dog had bit the man."},
        {"output_text": "It wasn't surprising.", "a": "It was not unexpected.", "b": "No one was surprised."},
        {
            "output_text": "The man had just bitten him.",
            "a": "The man bit him first.",
            "b": "The man had bitten the dog.",
        },
    ]
    metric = {"type": "bleu", "params": {"references": ["{{item.a}}", "{{item.b}}"]}}
    scores = await server.scores(data_config(metric), rows_target(*rows))
    assert scores["corpus"] == {"value": pytest.approx(48.530827, abs=1e-6)}
    assert scores["sentence"]["stats"]["max"] == pytest.approx(100.0)
    assert scores["sentence"]["stats"]["count"] == 3


async def test_rouge_is_google_s(server: Evaluator) -> None:
    # 8 and 9 words; 6 words, 2 word pairs, 1 triple and a subsequence of 5 in common.
    sample = row("The quick brown dog jumps on the log.", "The quick brown fox jumps over the lazy dog")
    scores = await server.scores(data_config({"type": "rouge", "params": REFERENCE}), rows_target(sample))
    assert {name: score["value"] for name, score in scores.items()} == pytest.approx(
        {"rouge_1_score": 12 / 17, "rouge_2_score": 4 / 15, "rouge_3_score": 2 / 13, "rouge_L_score": 10 / 17}
    )


@pytest.mark.parametrize(
    ("output", "reference", "em", "f1"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1, 1),
        ("The Eiffel Tower in Paris", "Eiffel Tower", 0, 2 * 2 / (4 + 2)),
        ("Rome", "Paris", 0, 0),
        ("the", "", 1, 1),
        ("", "Paris", 0, 0),
        ("no no yes", "no yes yes", 0, 2 * 2 / (3 + 3)),
    ],
)
async def test_em_and_f1_are_squad_s(
    server: Evaluator, output: str, reference: str, em: float, f1: float
) -> None:
    metrics: list[dict[str, Any]] = [{"type": kind, "params": REFERENCE} for kind in ("em", "f1")]
    job = await server.run(data_config(*metrics), rows_target(row(output, reference)))
    task = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]["metrics"]
    assert task["score"]["scores"]["em_score"]["value"] == em
    assert task["score-2"]["scores"]["f1_score"]["value"] == pytest.approx(f1)


async def test_the_best_reference_counts_and_the_prediction_may_be_named(server: Evaluator) -> None:
    params = {"references": ["Rome", "{{item.city}}"], "prediction": "{{item.guess}}"}
    config = data_config({"type": "em", "params": params}, {"type": "f1", "params": params})
    scores = await server.scores(config, rows_target({"city": "Paris", "guess": "paris."}))
    assert scores["em_score"]["value"] == 1


async def test_accuracy_is_equality_but_for_space_around(server: Evaluator) -> None:
    metric = {"type": "accuracy", "params": {"references": ["{{item.reference}}", "Lutetia"]}}
    rows = [
        row("Paris\n", "Paris"),
        row("paris", "Paris"),
        row("Lutetia", "Paris"),
        row("the Paris", "Paris"),
    ]
    scores = await server.scores(data_config(metric), rows_target(*rows))
    assert scores["accuracy"]["value"] == 2 / 4


def test_normalise_keeps_words_that_begin_with_an_article() -> None:
    assert normalise("  An apple, the  Thermos & a cat ") == "apple thermos cat"


async def test_output_may_be_in_a_column_named_output_and_need_not_be_text(server: Evaluator) -> None:
    config = data_config(string_check("{{output_text}}", "equals", '{"a": 1}'))
    assert (await server.scores(config, rows_target({"output": {"a": 1}})))["string-check"]["value"] == 1


async def test_a_job_without_any_score_fails(server: Evaluator) -> None:
    config = data_config(string_check("{{output_text}}", "equals", "x"))
    job = await server.run(config, rows_target({"question": "?"}))
    assert job["status"] == "failed"
    assert "metric 'score' could be computed for no sample" in job["status_details"]["message"]


async def test_a_metric_without_a_number_leaves_the_others_their_scores(server: Evaluator) -> None:
    missing = string_check("{{item.gone}}", "equals", "x")
    config = data_config(string_check("{{item.answer}}", "equals", "Rome"), missing)
    config["tasks"]["other"] = {"type": "data", "metrics": {"only": missing}}
    job = await server.run(config, rows_target({"answer": "Rome"}, {"answer": "Bern"}))
    assert job["status"] == "completed"
    message = job["status_details"]["message"]
    assert message.startswith(
        "Job completed without some scores: task 'qa': metric 'score-2' could be computed"
    )
    assert "; task 'other': metric 'only' could be computed for no sample: " in message
    tasks = (await server.get(f"jobs/{job['id']}/results"))["tasks"]
    assert tasks["qa"]["metrics"]["score"]["scores"]["string-check"]["value"] == 0.5
    assert tasks["qa"]["metrics"]["score-2"] == {"scores": {}}
    assert tasks["other"]["metrics"]["only"] == {"scores": {}}


def test_of_a_metric_with_several_scores_those_without_a_number_are_named() -> None:
    scores = TaskScores("qa", {"judge": MetricSpec(type="llm-judge", params="{}")})
    scored = {"judge": Scored({"style": 1.0, "facts": math.nan})}
    errors = ["metric 'other': gone", "metric 'judge': 'facts' is missing"]
    scores.add(Sample(number=1, item={}, answer={}, scored=scored, errors=errors))
    assert scores.result()["metrics"]["judge"]["scores"].keys() == {"style"}
    cause = "row 1: metric 'judge': 'facts' is missing"
    assert scores.without_numbers() == [
        f"task 'qa': 'facts' of metric 'judge' could be computed for no sample: {cause}"
    ]


async def test_of_two_metrics_of_a_type_the_one_at_fault_is_named(server: Evaluator) -> None:
    config = data_config(string_check("a", "equals", "a"), string_check("{{", "equals", "b"))
    body = {"config": config, "target": rows_target({"x": "1"})}
    detail = await server.refused(400, "POST", "jobs", body)
    assert "metric 'score-2' (type 'string-check'): template '{{' is not valid Jinja" in detail
