"""A small retrieval benchmark in BEIR's layout, and the configs and targets that evaluate it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tests.unit.local_evaluator.harness import Evaluator

MEASURES = ("recall_5", "recall_10", "ndcg_cut_5", "ndcg_cut_10")

CORPUS = {f"d{number}": f"Document number {number}." for number in range(1, 15)}
QUERIES = {"q1": "First query?", "q2": "Second query?", "q3": "Third query?", "q4": "Fourth query?"}
QRELS = {
    "q1": {"d1": 2, "d2": 1, "d3": 0},
    "q2": {"d4": 1, "d5": 1},
    "q3": {"d6": 1},
    "q4": {f"d{number}": 1 for number in range(1, 13)},
}


RAGAS = [
    {
        "question": "What is the capital of France?",
        "answer": "Paris",
        "contexts": ["Rome is in Italy.", "Paris is the capital of France.", "France is a country."],
        "ground_truths": ["paris is the capital of france"],
    },
    {
        "question": "Which colours has its flag?",
        "answer": "Blue and white",
        "contexts": ["The flag is blue and white."],
        "ground_truths": ["blue", "white", "red"],
    },
]


def beir(server: Evaluator, name: str = "tiny", *, split: str = "test") -> dict[str, Any]:
    """A dataset of BEIR's layout in the server's data directory."""
    home = server.data / name
    (home / "qrels").mkdir(parents=True)
    (home / "corpus.jsonl").write_text(
        lines({"_id": key, "title": "", "text": text} for key, text in CORPUS.items())
    )
    (home / "queries.jsonl").write_text(lines({"_id": key, "text": text} for key, text in QUERIES.items()))
    judged = [
        f"{query}\t{document}\t{grade}" for query, of in QRELS.items() for document, grade in of.items()
    ]
    (home / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    return {"files_url": f"file://{name}/"}


def lines(rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def retriever(
    dataset: Mapping[str, Any] | None, *, kind: str = "beir", measures: Sequence[str] = MEASURES, **more: Any
) -> dict[str, Any]:
    task = {"type": kind, "metrics": {measure: {"type": measure} for measure in measures}}
    if dataset is not None:
        task["dataset"] = dataset
    return {"type": "retriever", "tasks": {"qa": task}, **more}


def cached(server: Evaluator, *rows: Mapping[str, Any], kind: str = "retriever") -> dict[str, Any]:
    (server.data / "outputs.jsonl").write_text(lines(rows))
    return {"type": kind, kind: {"cached_outputs": {"files_url": "file://outputs.jsonl"}}}


def row(query_id: str, documents: object) -> dict[str, Any]:
    return {"query_id": query_id, "retrieved_docs": documents}


async def result(server: Evaluator, config: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    job = await server.run(config, target)
    assert job["status"] == "completed", job["status_details"]
    return await server.get(f"jobs/{job['id']}/results")


async def scores(
    server: Evaluator, config: Mapping[str, Any], target: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """By measure."""
    metrics = (await result(server, config, target))["tasks"]["qa"]["metrics"]
    return {name.removeprefix("retriever."): one["scores"][name[10:]] for name, one in metrics.items()}


async def values(server: Evaluator, config: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, float]:
    return {name: score["value"] for name, score in (await scores(server, config, target)).items()}


def dcg(*grades: float) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))
