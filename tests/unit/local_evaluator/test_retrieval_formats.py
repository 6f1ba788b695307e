"""Formats of judgements: SQuAD and Ragas."""

from typing import Any

import pytest

from tests.unit.local_evaluator.harness import Evaluator, rows_target
from tests.unit.local_evaluator.retrieval import RAGAS, cached, dcg, retriever, row, values

SQUAD: dict[str, Any] = {
    "version": "1.1",
    "data": [
        {
            "title": "Cities",
            "paragraphs": [
                {
                    "context": "Paris is the capital of France.",
                    "qas": [{"id": "a", "question": "What is France's capital?", "answers": []}],
                },
                {
                    "context": "Rome is the capital of Italy.",
                    "qas": [{"id": "b", "question": "What is Italy's capital?", "answers": []}],
                },
            ],
        }
    ],
}


async def test_in_squad_the_paragraph_of_the_question_is_relevant(server: Evaluator) -> None:
    config = retriever(server.dataset("squad.json", SQUAD), kind="squad", measures=["recall_5", "ndcg_cut_5"])
    rome, paris = "Rome is the  capital of Italy.", {"title": "x", "text": "Paris is the capital of France."}
    target = rows_target(
        {"query": "What is France's capital?", "retrieved_docs": [rome, paris]},
        {"query_id": "b", "retrieved_docs": [paris]},
    )
    found = await values(server, config, target)
    assert found == pytest.approx({"recall_5": 1 / 2, "ndcg_cut_5": dcg(0, 1) / 2})


async def test_squad_may_have_a_question_in_each_row(server: Evaluator) -> None:
    rows = [
        {"id": question["id"], "context": paragraph["context"], "question": question["question"]}
        for paragraph in SQUAD["data"][0]["paragraphs"]
        for question in paragraph["qas"]
    ]
    config = retriever(server.dataset("squad.json", rows), kind="squad", measures=["recall_5"])
    found = await values(server, config, rows_target(row("b", ["Rome is the capital of Italy."])))
    assert found == {"recall_5": 1.0}


async def test_in_ragas_documents_with_a_ground_truth_are_relevant(server: Evaluator) -> None:
    # Of the second question's flag, one document is relevant and "red" was not found in any.
    config = retriever(None, kind="ragas", measures=["recall_5", "ndcg_cut_5"])
    expected = {"recall_5": (1 + 1 / 2) / 2, "ndcg_cut_5": (dcg(0, 1) + 1 / dcg(1, 1)) / 2}
    assert await values(server, config, rows_target(*RAGAS)) == pytest.approx(expected)


async def test_ragas_is_read_by_rows_and_by_columns(server: Evaluator) -> None:
    columns = {key: [one[key] for one in RAGAS] for key in RAGAS[0]}
    by_form = []
    for name, content in (("rows.json", RAGAS), ("columns.json", columns)):
        dataset = server.dataset(name, content)
        target = {"type": "rag", "rag": {"cached_outputs": dataset}}
        config = retriever(None, kind="ragas", measures=["recall_5"])
        by_form.append(await values(server, {**config, "type": "rag"}, target))
    assert by_form[0] == by_form[1] == {"recall_5": 0.75}


async def test_ground_truths_may_lie_apart_from_what_was_retrieved(server: Evaluator) -> None:
    judged = [{key: one[key] for key in ("question", "ground_truths")} for one in RAGAS]
    retrieved = [{key: one[key] for key in ("question", "contexts")} for one in RAGAS]
    config = retriever(server.dataset("truths.json", judged), kind="ragas", measures=["recall_5"])
    assert await values(server, config, cached(server, *retrieved)) == {"recall_5": 0.75}
