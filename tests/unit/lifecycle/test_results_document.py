"""What is kept of the results, and under which name."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import Results
from nemo_eval_operator.lifecycle.job import config_map_names, label_value, results_document
from nemo_eval_operator.lifecycle.job.results import MAX_DOCUMENT_BYTES
from tests.unit.lifecycle.objects import EM, UID, results

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


URL = "http://evaluator.test/v1/evaluation/jobs/eval-1/results"


def document_of(given: Results) -> tuple[str, bool]:
    return results_document(given, url=URL)


def test_the_document_is_kept_as_the_evaluator_gave_it() -> None:
    given = results(tasks=EM, later_field=[1, None, "é 你好 😀"])
    text, truncated = document_of(given)
    assert not truncated
    assert json.loads(text) == given.document
    assert "你好 😀" in text


def test_what_is_not_a_number_is_null_since_json_has_no_other_word_for_it() -> None:
    text, _ = document_of(results(tasks={"t": {"nan": math.nan, "inf": [math.inf, -math.inf]}}))
    assert json.loads(text)["tasks"] == {"t": {"nan": None, "inf": [None, None]}}


def test_the_bound_counts_bytes_and_is_met_exactly() -> None:
    empty, _ = document_of(results(note=""))
    room = MAX_DOCUMENT_BYTES - len(empty.encode())
    text, truncated = document_of(results(note="é" * (room // 2) + "x" * (room % 2)))
    assert (len(text.encode()), truncated) == (MAX_DOCUMENT_BYTES, False)
    assert len(text) < MAX_DOCUMENT_BYTES
    assert document_of(results(note="é" * (room // 2) + "x" * (room % 2 + 1)))[1]


ROWS = ["x" * 1_000] * 1_000


@pytest.mark.parametrize(
    "rows",
    [
        {"data": {"samples": [{"output_text": row} for row in ROWS]}},
        {"data": {"rows": ROWS}},
        {"samples": ROWS},
        {"metrics": EM["qa"]["metrics"], "deep": {"er": {"rows": ROWS}}},
    ],
    ids=["samples", "rows", "beside", "deeper"],
)
def test_rows_go_first_and_scores_and_prompts_stay(rows: dict[str, Any]) -> None:
    prompt = {"optimized_prompt": "You are careful."}
    task = EM["qa"] | rows | {"data": rows.get("data", {}) | prompt, "other": 1}
    given = results(tasks={"qa": task, "odd": "as it came"}, groups={"g": {}})
    text, truncated = document_of(given)
    kept = json.loads(text)
    assert truncated
    assert (kept["tasks"]["qa"]["metrics"], kept["tasks"]["odd"]) == (EM["qa"]["metrics"], "as it came")
    assert (kept["tasks"]["qa"]["data"], kept["tasks"]["qa"]["other"]) == (prompt, 1)
    assert kept["truncated"] == f"lists such as rows are left out to fit into a ConfigMap; all of it: {URL}"
    assert "x" * 1_000 not in text
    assert given.tasks["qa"] == task, "the scores are read from the whole"


def test_where_rows_are_no_lists_only_the_scores_stay() -> None:
    rows = {f"row-{number}": row for number, row in enumerate(ROWS)}
    nested = {"all": EM["qa"] | {"rows": rows, "groups": {"hard": EM["qa"]}}}
    text, truncated = document_of(results(tasks={"qa": EM["qa"] | {"data": rows}}, groups=nested))
    assert truncated
    assert json.loads(text) == {
        "job": "eval-1",
        "tasks": EM,
        "groups": {"all": {"metrics": EM["qa"]["metrics"], "groups": {"hard": EM["qa"]}}},
        "truncated": f"all but the scores is left out to fit into a ConfigMap; all of it: {URL}",
    }


def test_scores_without_end_are_left_with_the_evaluator() -> None:
    metrics = {"x" * 1_000 + str(number): EM["qa"]["metrics"]["em"] for number in range(1_000)}
    text, truncated = document_of(results(tasks={"qa": {"metrics": metrics}}))
    assert truncated
    assert json.loads(text) == {
        "job": "eval-1",
        "truncated": f"the scores alone exceed a ConfigMap; all of it: {URL}",
    }


@pytest.mark.parametrize("attempt", [1, 2, 12])
@pytest.mark.parametrize("length", [1, 63, 240, 244, 245, 246, 252, 253])
def test_a_name_of_any_length_gives_valid_names(length: int, attempt: int) -> None:
    names = config_map_names("j" * length, uid=UID, attempt=attempt, document="{}")
    for name in names:
        assert len(name) <= 253
        assert SUBDOMAIN.fullmatch(name)
        assert name.endswith("-results")
    assert UID[:8] in names[1]


def test_a_short_name_stays_readable_and_attempts_stay_apart() -> None:
    first, second = (
        config_map_names("qa-llama", uid=UID, attempt=attempt, document="{}") for attempt in (1, 2)
    )
    assert first[:2] == ("qa-llama-results", "qa-llama-6f1c0d3a-results")
    assert second[:2] == ("qa-llama-2-results", "qa-llama-6f1c0d3a-2-results")


def test_the_last_name_depends_on_the_document() -> None:
    first, second = (
        config_map_names("qa-llama", uid=UID, attempt=1, document=document)[-1] for document in ("{}", "[]")
    )
    assert first != second


def test_long_names_that_begin_alike_stay_apart() -> None:
    first, second = (
        config_map_names("j" * 250 + end, uid=UID, attempt=1, document="{}")[0] for end in ("aaa", "bbb")
    )
    assert first != second


@pytest.mark.parametrize("separator", ["-", ".", "--"])
def test_a_cut_does_not_end_in_a_separator(separator: str) -> None:
    for length in range(40, 245):
        job = "j" * length + separator + "k" * (253 - length - len(separator))
        for name in config_map_names(job, uid=UID, attempt=1, document="{}"):
            assert SUBDOMAIN.fullmatch(name)
            assert len(name) <= 253
        assert SUBDOMAIN.fullmatch(label_value(job))


@pytest.mark.parametrize(("length", "cut"), [(1, False), (63, False), (64, True), (253, True)])
def test_a_label_holds_at_most_63_characters(length: int, cut: bool) -> None:
    value = label_value("j" * length)
    assert len(value) == min(length, 63)
    assert (value != "j" * length) is cut
