"""Retrieval: scores against trec_eval's own, examples worked by hand, and NeMo's shapes of results."""

import math
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from pytrec_eval import RelevanceEvaluator

from nemo_local_evaluator.metrics import RANKING, build_metric
from nemo_local_evaluator.templating import TemplateEnvironment
from nemo_local_evaluator.wire.errors import EvaluationError
from tests.unit.local_evaluator.harness import Evaluator, rows_target
from tests.unit.local_evaluator.retrieval import (
    CORPUS,
    MEASURES,
    QRELS,
    RAGAS,
    beir,
    cached,
    dcg,
    result,
    retriever,
    row,
    scores,
    values,
)


async def test_an_example_worked_by_hand(server: Evaluator) -> None:
    documents = ["d9", "d2", "d3", "d8", "d7", "d1"]
    found = await values(server, retriever(beir(server)), cached(server, row("q1", documents)))
    ideal = dcg(2, 1)
    assert found == pytest.approx(
        {
            "recall_5": 1 / 2,
            "recall_10": 1.0,
            "ndcg_cut_5": dcg(0, 1) / ideal,
            "ndcg_cut_10": dcg(0, 1, 0, 0, 0, 2) / ideal,
        }
    )


async def test_scores_are_those_of_trec_eval(server: Evaluator) -> None:
    run = {
        "q1": {"d3": 0.9, "d1": 0.5, "d2": 0.5, "d11": 0.5, "d12": 0.5, "d13": 0.5},  # ties
        "q2": {"d9": 3.0, "d4": 2.0},  # fewer than any cut
        "q3": {"d1": 1.0, "d2": 0.9},  # nothing relevant found
        "q4": {f"d{number}": 1 / number for number in range(1, 15)},  # more relevant ones than any cut
    }
    reference = RelevanceEvaluator(QRELS, MEASURES).evaluate(run)
    target = cached(
        server,
        *(
            row(query, [{"_id": document, "score": score} for document, score in of.items()])
            for query, of in run.items()
        ),
    )
    found = await scores(server, retriever(beir(server)), target)
    for measure in MEASURES:
        expected = [reference[query][measure] for query in run]
        assert found[measure]["value"] == pytest.approx(sum(expected) / 4)
        assert found[measure]["stats"]["sum_squared"] == pytest.approx(sum(one**2 for one in expected))
        assert (found[measure]["stats"]["min"], found[measure]["stats"]["max"]) == pytest.approx(
            (min(expected), max(expected))
        )


async def test_the_three_ways_to_write_a_ranking_are_one(server: Evaluator) -> None:
    config = retriever(beir(server), measures=["ndcg_cut_10"])
    by_score = {"d9": 0.1, "d2": 0.7, "d1": 0.3}
    written = (
        [{"_id": "d2"}, {"_id": "d1"}, {"_id": "d9"}],
        ["d2", "d1", "d9"],
        by_score,
        [CORPUS["d2"], CORPUS["d1"].upper(), "Something else."],
        [{"title": "", "text": text} for text in (CORPUS["d2"], CORPUS["d1"], CORPUS["d9"])],
    )
    expected = dcg(1, 2) / dcg(2, 1)
    for documents in written:
        found = await values(server, config, cached(server, row("q1", documents)))
        assert found == {"ndcg_cut_10": pytest.approx(expected)}, documents


async def test_a_query_may_be_named_by_its_text(server: Evaluator) -> None:
    target = rows_target({"query": "first  QUERY?", "retrieved_docs": ["d1", "d2"]})
    found = await values(server, retriever(beir(server), measures=["recall_5"]), target)
    assert found == {"recall_5": 1.0}


async def test_parts_of_one_document_count_once(server: Evaluator) -> None:
    target = rows_target(row("q2", ["d4", "d4", "d4", "d4", "d4", "d5"]))
    found = await values(server, retriever(beir(server), measures=["recall_5"]), target)
    assert found == {"recall_5": 1.0}


async def test_a_query_for_which_nothing_was_retrieved_scores_nothing(server: Evaluator) -> None:
    target = rows_target(row("q1", []), row("q3", ["d6"]))
    found = await scores(server, retriever(beir(server), measures=["ndcg_cut_5"]), target)
    assert found["ndcg_cut_5"]["value"] == 0.5
    assert found["ndcg_cut_5"]["stats"]["count"] == 2


async def test_queries_without_judgements_are_no_part_of_the_mean(server: Evaluator) -> None:
    strangers = [row(f"stranger-{number}", ["d1"]) for number in range(30)]
    target = rows_target(*strangers, row("q3", ["d6"]), {"query_id": "q1"})
    found = await scores(server, retriever(beir(server), measures=["recall_5"]), target)
    assert found["recall_5"]["value"] == 1.0
    assert (found["recall_5"]["stats"]["count"], found["recall_5"]["stats"]["nan_count"]) == (1, 31)


async def test_no_query_with_judgements_fails_the_job(server: Evaluator) -> None:
    job = await server.run(retriever(beir(server)), rows_target(row("stranger", ["d1"])))
    assert job["status"] == "failed"
    assert "there are no judgements for the row's query" in job["status_details"]["message"]


async def test_the_split_names_the_judgements(server: Evaluator) -> None:
    dataset = beir(server, split="dev") | {"split": "dev"}
    found = await values(server, retriever(dataset, measures=["recall_5"]), rows_target(row("q3", ["d6"])))
    assert found == {"recall_5": 1.0}


async def test_a_wrong_judgement_is_reported_with_its_row(server: Evaluator) -> None:
    dataset = beir(server)
    with (server.data / "tiny/qrels/test.tsv").open("a") as file:
        file.write("q9\td1\tvery\n")
    job = await server.run(retriever(dataset), rows_target(row("q1", ["d1"])))
    assert job["status"] == "failed"
    message = job["status_details"]["message"]
    assert message == "dataset 'qrels/test.tsv', row 19: score: must be a whole number"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({}, "retrieved_docs: is required"),
        ({"retrieved_docs": 5}, "retrieved_docs: must be a list"),
        ({"contexts": ["d6", 7]}, "contexts.1: must be an object"),
        ({"retrieved_docs": [{"id": "d6", "score": "best"}]}, "retrieved_docs.0.score: must be a number"),
    ],
)
async def test_a_row_without_a_ranking_says_which_field_is_wrong(
    server: Evaluator, written: dict[str, Any], problem: str
) -> None:
    config = retriever(beir(server), measures=["recall_5"])
    job = await server.run(config, rows_target({"query_id": "q3", **written}))
    message = job["status_details"]["message"]
    assert message.endswith(f"could be computed for no sample: row 1: metric {RANKING!r}: {problem}")


async def test_a_limit_is_one_of_retrieved_rows(server: Evaluator) -> None:
    config = retriever(beir(server), measures=["recall_5"], params={"limit_samples": 1})
    found = await scores(server, config, rows_target(row("q3", ["d6"]), row("q3", [])))
    assert (found["recall_5"]["value"], found["recall_5"]["stats"]["count"]) == (1.0, 1)


async def test_results_are_where_nemo_has_them(server: Evaluator) -> None:
    target = rows_target(row("q3", ["d6"]), row("q3", ["d1"]))
    found = await result(server, retriever(beir(server), measures=["recall_5"]), target)
    assert found["groups"] == {}
    assert found["tasks"]["qa"]["metrics"] == {
        "retriever.recall_5": {
            "scores": {
                "recall_5": {
                    "value": 0.5,
                    "stats": {
                        "count": 2,
                        "sum": 1.0,
                        "sum_squared": 1.0,
                        "mean": 0.5,
                        "min": 0.0,
                        "max": 1.0,
                        "variance": 0.25,
                        "stddev": 0.5,
                        "stderr": pytest.approx(0.3535534),
                        "nan_count": 0,
                    },
                }
            }
        }
    }


async def test_groups_pool_the_queries_of_their_tasks(server: Evaluator) -> None:
    dataset = beir(server)
    both = retriever(dataset, measures=["recall_5", "recall_10"])["tasks"]["qa"]
    ragas = retriever(None, kind="ragas", measures=["recall_5"])["tasks"]["qa"]
    config = {
        "type": "rag",
        "tasks": {"qa": both, "texts": ragas},
        "groups": {"evaluation": {}, "beir": {"tasks": ["qa"]}},
    }
    rows = [row("q3", ["d6"]), row("q2", ["d4"]), {"query_id": "q1", "contexts": [], "ground_truths": ["x"]}]
    found = (await result(server, config, rows_target(*rows)))["groups"]
    pooled = found["evaluation"]["metrics"]["evaluation"]["scores"]
    # Of qa 1, 1/2 and 0; of texts the last row's 0.
    assert pooled["recall_5"]["value"] == pytest.approx(1.5 / 4)
    assert pooled["recall_5"]["stats"] == pytest.approx(
        {
            "count": 4,
            "sum": 1.5,
            "sum_squared": 1.25,
            "mean": 0.375,
            "min": 0.0,
            "max": 1.0,
            "variance": 1.25 / 4 - 0.375**2,
            "stddev": math.sqrt(1.25 / 4 - 0.375**2),
            "stderr": math.sqrt(1.25 / 4 - 0.375**2) / 2,
            "nan_count": 2,
        }
    )
    assert pooled["recall_10"]["stats"]["count"] == 3
    assert found["beir"]["metrics"]["evaluation"]["scores"]["recall_5"]["value"] == pytest.approx(0.5)


async def test_the_library_may_be_the_metric_s_type(server: Evaluator) -> None:
    config = retriever(beir(server))
    config["tasks"]["qa"]["metrics"] = {"retriever_recall_5": {"type": "pytrec_eval"}}
    found = await result(server, config, rows_target(row("q3", ["d6"])))
    assert found["tasks"]["qa"]["metrics"]["retriever.recall_5"]["scores"]["recall_5"]["value"] == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"metrics": {"faithfulness": {"type": "faithfulness"}}},
            "metric 'faithfulness' has type 'faithfulness', not supported here; supported are recall_K and",
        ),
        (
            {"metrics": {"context": {"type": "pytrec_eval"}}},
            "metric 'context' has type 'pytrec_eval', not supported here; supported are recall_K and",
        ),
        (
            {"type": "mteb"},
            "task 'qa' has type 'mteb', not supported here; supported are beir, squad, ragas",
        ),
    ],
)
async def test_what_is_not_supported_fails_and_says_what_is(
    server: Evaluator, change: Mapping[str, Any], message: str
) -> None:
    config = retriever({"files_url": "file://tiny/"})
    config["tasks"]["qa"] |= change
    job = await server.run(config, rows_target(row("q1", ["d1"])))
    assert job["status"] == "failed"
    assert message in job["status_details"]["message"]


def test_without_trec_eval_the_error_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytrec_eval", None)
    with pytest.raises(EvaluationError, match="pip install pytrec-eval-terrier"):
        build_metric(RANKING, {"measures": ["recall_5"]}, TemplateEnvironment())


async def test_groups_of_groups_fail_and_say_what_is_supported(server: Evaluator) -> None:
    groups = {"all": {"groups": {"some": {"tasks": ["qa"]}}}}
    job = await server.run(retriever(None, kind="ragas", groups=groups), rows_target(*RAGAS))
    assert job["status"] == "failed"
    assert "group 'all' has groups of its own, not supported here" in job["status_details"]["message"]


async def test_a_pipeline_fails_and_says_what_is_supported(server: Evaluator) -> None:
    model = {"api_endpoint": {"url": "http://model.test/v1/embeddings", "model_id": "e5"}}
    pipeline = {"query_embedding_model": model, "index_embedding_model": model, "top_k": 5}
    job = await server.run(
        retriever(beir(server)), {"type": "retriever", "retriever": {"pipeline": pipeline}}
    )
    assert job["status"] == "failed"
    assert "retriever.pipeline needs embedding services" in job["status_details"]["message"]
    assert "give retriever.cached_outputs" in job["status_details"]["message"]


@pytest.mark.parametrize(
    ("config", "target", "said"),
    [
        (retriever(None), rows_target(row("q1", [])), "task 'qa' has no dataset"),
        (
            retriever({"files_url": "file://gone/"}),
            rows_target(row("q1", [])),
            "does not exist",
        ),
        (
            retriever({"files_url": "file://gone/"}, measures=[]),
            rows_target(row("q1", [])),
            "task 'qa' has no metrics",
        ),
        (retriever(None, kind="ragas"), {"type": "retriever", "retriever": {}}, "the target has no dataset"),
        (
            retriever(None, kind="ragas", groups={"all": {"tasks": ["other"]}}),
            rows_target(row("q1", [])),
            "group 'all' names task 'other', which the config does not have",
        ),
        (
            retriever(None, kind="ragas"),
            {"type": "cached_outputs", "cached_outputs": {"files_url": "file://gone.jsonl"}},
            "does not exist",
        ),
    ],
)
async def test_what_cannot_be_evaluated_is_refused(
    server: Evaluator, config: Mapping[str, Any], target: Mapping[str, Any], said: str
) -> None:
    detail = await server.refused(400, "POST", "jobs", {"config": config, "target": target})
    assert said in detail
