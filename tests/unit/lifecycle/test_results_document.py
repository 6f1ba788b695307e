"""What is kept of the results, and under which name."""

from __future__ import annotations

import json
import re

import pytest

from nemo_eval_operator.lifecycle import config_map_name, results_document
from nemo_eval_operator.lifecycle.results import MAX_DOCUMENT_BYTES

from .objects import EM, results

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def test_the_document_is_kept_as_the_evaluator_gave_it() -> None:
    given = results(tasks=EM, later_field=[1, None, "é 你好 😀"])
    text, truncated = results_document(given)
    assert not truncated
    assert json.loads(text) == given.document
    assert "你好 😀" in text


def test_the_bound_counts_bytes_and_is_met_exactly() -> None:
    empty, _ = results_document(results(note=""))
    room = MAX_DOCUMENT_BYTES - len(empty.encode())
    text, truncated = results_document(results(note="é" * (room // 2) + "x" * (room % 2)))
    assert (len(text.encode()), truncated) == (MAX_DOCUMENT_BYTES, False)
    assert len(text) < MAX_DOCUMENT_BYTES
    assert results_document(results(note="é" * (room // 2) + "x" * (room % 2 + 1)))[1]


def test_rows_go_first_and_scores_stay() -> None:
    task = EM["qa"] | {"data": {"rows": ["x" * 1_000] * 1_000}, "other": 1}
    given = results(tasks={"qa": task, "odd": "as it came"}, groups={"g": {}})
    text, truncated = results_document(given)
    assert truncated
    assert json.loads(text) == given.document | {
        "tasks": {"qa": EM["qa"] | {"other": 1}, "odd": "as it came"}
    }
    assert "data" in task


@pytest.mark.parametrize("tasks", [EM, None])
def test_what_is_still_too_large_is_named_and_left_with_the_evaluator(tasks: object) -> None:
    text, truncated = results_document(results(tasks=tasks, groups={"g": {"note": "x" * MAX_DOCUMENT_BYTES}}))
    assert truncated
    assert json.loads(text) == {"job": "eval-1", "truncated": "the scores alone exceed a ConfigMap"}


@pytest.mark.parametrize("distinct", ["", "6f1c0d3a"])
@pytest.mark.parametrize("length", [1, 63, 240, 244, 245, 246, 252, 253])
def test_a_name_of_any_length_gives_a_valid_name(length: int, distinct: str) -> None:
    name = config_map_name("j" * length, distinct=distinct)
    assert len(name) <= 253
    assert SUBDOMAIN.fullmatch(name)
    assert name.endswith("-results")
    assert distinct in name


def test_a_short_name_stays_readable() -> None:
    assert config_map_name("qa-llama") == "qa-llama-results"
    assert config_map_name("qa-llama", distinct="6f1c0d3a") == "qa-llama-6f1c0d3a-results"


def test_long_names_that_begin_alike_stay_apart() -> None:
    first, second = ("j" * 250 + end for end in ("aaa", "bbb"))
    assert config_map_name(first) != config_map_name(second)
    assert config_map_name(first) == config_map_name(first)


@pytest.mark.parametrize("separator", ["-", ".", "--"])
def test_a_cut_does_not_end_in_a_separator(separator: str) -> None:
    for length in range(225, 245):
        name = config_map_name("j" * length + separator + "k" * (253 - length - len(separator)))
        assert SUBDOMAIN.fullmatch(name)
        assert len(name) <= 253
