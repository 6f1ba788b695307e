"""Evaluations of type similarity_metrics, in the formats that NeMo documents."""

from typing import Any

import httpx
import pytest
import sacrebleu

from tests.unit.local_evaluator.harness import MODEL_URL, Evaluator, chat_reply, model_target, rows_target

INPUTS = [
    {"prompt": "Where is it?", "ideal_response": "It is in Paris", "category": "place", "source": "me"},
    {"prompt": "Who was it?", "ideal_response": "The quick brown fox", "category": "fox", "source": "me"},
]
RESPONSES = ["It is in Rome", "the quick, brown fox!"]
OUTPUTS = [
    {"input": row, "response": response, "llm_name": "tiny"}
    for row, response in zip(INPUTS, RESPONSES, strict=True)
]
METRICS = {name: {"type": name} for name in ("accuracy", "bleu", "rouge", "em", "f1")}


def config(**task: Any) -> dict[str, Any]:
    return {
        "type": "similarity_metrics",
        "tasks": {"qa": {"type": "default", "metrics": METRICS, **task}},
    }


def cached(dataset: dict[str, Any]) -> dict[str, Any]:
    return {"type": "cached_outputs", "cached_outputs": dataset}


async def values(server: Evaluator, job: dict[str, Any]) -> dict[str, dict[str, float]]:
    assert job["status"] == "completed", job["status_details"]
    result = await server.get(f"jobs/{job['id']}/results")
    return {
        metric: {name: score["value"] for name, score in scores["scores"].items()}
        for metric, scores in result["tasks"]["qa"]["metrics"].items()
    }


# Worked by hand. 4 words, 3 in common, 2 pairs, 1 triple; and, punctuation and case aside, the same.
EXPECTED = {
    "accuracy": {"accuracy": 0},
    "rouge": {
        "rouge_1_score": (3 / 4 + 1) / 2,
        "rouge_2_score": (2 / 3 + 1) / 2,
        "rouge_3_score": (1 / 2 + 1) / 2,
        "rouge_L_score": (3 / 4 + 1) / 2,
    },
    "em": {"em_score": 1 / 2},
    "f1": {"f1_score": (3 / 4 + 1) / 2},
}


async def test_recorded_outputs_are_compared(server: Evaluator) -> None:
    job = await server.run(config(), cached(server.dataset("outputs.json", OUTPUTS)))
    found = await values(server, job)
    ideal = [row["ideal_response"] for row in INPUTS]
    bleu = found.pop("bleu")
    assert bleu == {"bleu_score": pytest.approx(sacrebleu.corpus_bleu(RESPONSES, [ideal]).score / 100)}
    assert found == {metric: pytest.approx(scores) for metric, scores in EXPECTED.items()}
    assert server.model.requests == []


@pytest.mark.parametrize(
    ("answers", "of_each", "of_all"),
    [
        ({"Paris": "Paris"}, [1], 1),
        ({"Paris": "Rome"}, [0], 0),
        ({"New York": "New York", "Rome": "Rome"}, [1, 1], 1),
        # Of two words one is in common, and no pair: smoothed, the pairs count as half a match.
        ({"New York": "New Orleans"}, [(1 / 2 * 1 / 2) ** (1 / 2)], (1 / 2 * 1 / 2) ** (1 / 2)),
    ],
)
async def test_bleu_is_one_for_the_same_however_short(
    server: Evaluator, answers: dict[str, str], of_each: list[float], of_all: float
) -> None:
    rows = [{"input": "?", "reference": reference, "output": answer} for reference, answer in answers.items()]
    job = await server.run(config(metrics={"bleu": {"type": "bleu"}}), rows_target(*rows))
    found = (await values(server, job))["bleu"]["bleu_score"]
    assert found == pytest.approx(of_all)
    assert found <= 1
    kept = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]["data"]["samples"]
    assert [sample["scores"]["bleu"]["bleu_score"] for sample in kept] == pytest.approx(of_each)


async def test_flat_rows_are_compared_too(server: Evaluator) -> None:
    rows = [
        {"input": row["prompt"], "reference": row["ideal_response"], "output": response}
        for row, response in zip(INPUTS, RESPONSES, strict=True)
    ]
    found = await values(server, await server.run(config(), rows_target(*rows)))
    assert {metric: found[metric] for metric in EXPECTED} == {
        metric: pytest.approx(scores) for metric, scores in EXPECTED.items()
    }


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (MODEL_URL, {"messages": [{"role": "user", "content": "Where is it?"}]}),
        (f"{MODEL_URL}/chat/completions", {"messages": [{"role": "user", "content": "Where is it?"}]}),
        (f"{MODEL_URL}/completions", {"prompt": "Where is it?"}),
    ],
)
async def test_a_model_is_asked_each_prompt_as_its_url_says(
    server: Evaluator, url: str, asked: dict[str, Any]
) -> None:
    async def answer(_request: httpx.Request) -> httpx.Response:
        if "prompt" in asked:
            return httpx.Response(200, json={"choices": [{"text": " It is in Paris\n"}]})
        return chat_reply(" It is in Paris\n")

    server.model.answer = answer
    dataset = server.dataset("inputs.json", INPUTS)
    scored = {"params": {"max_tokens": 9, "limit_samples": 1}, **config(dataset=dataset)}
    found = await values(server, await server.run(scored, model_target(url=url)))
    assert found["accuracy"] == {"accuracy": 1}
    assert found["em"] == {"em_score": 1}
    assert server.model.bodies == [{"model": "tiny", "max_tokens": 9, "stream": False, **asked}]


async def test_a_row_without_an_answer_or_an_ideal_one_is_no_sample(server: Evaluator) -> None:
    rows: list[dict[str, Any]] = [*OUTPUTS, {"input": INPUTS[0]}, {"input": {"prompt": "?"}, "response": "!"}]
    job = await server.run(config(metrics={"em": {"type": "em"}}), rows_target(*rows))
    task = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]
    assert task["metrics"]["em"]["scores"]["em_score"]["stats"]["nan_count"] == 2
    assert "no text in the column 'response'" in task["data"]["samples"][2]["error"]
    assert "'ideal_response'" in task["data"]["samples"][3]["error"]


@pytest.mark.parametrize(
    ("task", "complaint"),
    [
        ({"metrics": {"bert": {"type": "bert"}}}, "metric type 'bert' is unknown; known are accuracy, bleu"),
        ({"metrics": {"em": {"type": "em", "params": {"references": ["x"]}}}}, "metric 'em': params"),
        ({"metrics": {}}, "task 'qa' has no metrics; known are accuracy"),
    ],
)
async def test_metrics_that_are_none_are_refused(
    server: Evaluator, task: dict[str, Any], complaint: str
) -> None:
    job = {"config": config(**task), "target": rows_target(*OUTPUTS)}
    assert complaint in await server.refused(400, "POST", "jobs", job)


async def test_a_model_needs_a_dataset_of_prompts(server: Evaluator) -> None:
    job = {"config": config(), "target": model_target()}
    assert "task 'qa' has no dataset" in await server.refused(400, "POST", "jobs", job)


async def test_another_task_type_is_taken_and_fails(server: Evaluator) -> None:
    job = await server.run(config(type="pairwise"), rows_target(*OUTPUTS))
    assert job["status"] == "failed"
    assert "supported is default" in job["status_details"]["message"]
