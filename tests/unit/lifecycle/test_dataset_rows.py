"""Rows in the text of a ConfigMap: formats, places of faults, and bounds."""

from __future__ import annotations

import json

import pytest

from nemo_eval_operator.lifecycle.requests import BadRows, rows_in
from nemo_eval_operator.lifecycle.requests.dataset_rows import (
    MAX_DATASET_BYTES,
    MAX_DEPTH,
    MAX_ROWS,
    MAX_VALUES,
)

ROWS = [{"question": "Capital of France?", "answer": "Paris"}, {"question": "2 + 2", "answer": "4"}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
CSV = "question,answer\nCapital of France?,Paris\n2 + 2,4\n"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("q.jsonl", LINES),
        ("q.ndjson", LINES.rstrip("\n")),
        ("q.JSONL", "\n" + LINES.replace("\n", "\r\n\n")),
        ("q.jsonl", "\ufeff" + LINES),
        ("q.json", json.dumps(ROWS, indent=2)),
        ("q.csv", CSV),
        ("q.csv", CSV.replace("\n", "\r\n")),
        ("questions", LINES),
        ("questions", json.dumps(ROWS)),
    ],
)
def test_all_formats_are_the_same_rows(key: str, text: str) -> None:
    read = rows_in(text, key)
    assert (read.rows(), read.count) == (ROWS, 2)
    assert read.sha256 == rows_in(LINES, "q.jsonl").sha256


def test_values_stay_what_they_were() -> None:
    row = {"line": "a\nb\u2028c", "n": [1, 2.5, None, True, {"deep": "ü"}], "empty": ""}
    assert rows_in(json.dumps(row), "q.jsonl").rows() == [row]


def test_the_first_rows_can_be_asked_for() -> None:
    assert rows_in(LINES, "q.jsonl").rows(limit=1) == ROWS[:1]


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("q.jsonl", '{"a": 1}\n\n{"a": }\n', "line 3 is not JSON: Expecting value at character 7"),
        ("q.jsonl", '{"a": 1}\n[1]\n', "line 2 is not an object"),
        ("q.jsonl", '{"a": NaN}', "line 1 is not JSON: NaN is not a value of JSON"),
        ("q.jsonl", '{"a": 1e999}', "line 1 is not JSON: 1e999 is too large"),
        ("q.jsonl", '{"a": "\\ud800"}', "row 1 contains half of a surrogate pair"),
        ("q.json", '[\n{"a": 1},\n{"a" 1}]', "line 3 is not JSON: Expecting ':' delimiter at character 6"),
        ("q.json", '{"a": 1}', "is not an array of objects"),
        ("q.json", '[{"a": 1}, 2]', "row 2 is not an object"),
        ("q.json", "[" * 100_000, "values; at most"),
        ("q.json", "[" * 20_000, "is nested more than"),
        ("q.csv", "a,b\n1,2\n1\n", "line 3 has 1 column, but the header has 2"),
        ("q.csv", "a,a\n1,2\n", "has two columns of one name"),
        ("q.csv", 'a\n"b\n', "line 2 is not CSV"),
        ("q.csv", "a,b\n", "has no rows"),
        ("q.jsonl", "\n", "has no rows"),
        ("q.json", "[]", "has no rows"),
        ("notes", "hello", "Let the key end with .jsonl, .json or .csv"),
        ("notes", "", "Let the key end with"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(key: str, text: str, problem: str) -> None:
    with pytest.raises(BadRows) as refused:
        rows_in(text, key)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("q.jsonl", " " * (MAX_DATASET_BYTES + 1), "bytes; at most 1,048,576 are read"),
        ("q.jsonl", "{}\n" * (MAX_ROWS + 1), "has more than 10,000 rows"),
        ("q.csv", "a\n" + "1\n" * (MAX_ROWS + 1), "has more than 10,000 rows"),
        ("q.jsonl", json.dumps({"a": [0] * MAX_VALUES}), "values; at most 50,000 are read"),
        (
            "q.csv",
            ",".join(map(str, range(1000))) + "\n" + ("," * 999 + "\n") * 100,
            "more than 50,000 values",
        ),
        ("q.csv", "h" * 100_000 + "\n" + "1\n" * 50, "bytes as JSON lines"),
        ("q.jsonl", '{"a":' * (MAX_DEPTH + 1) + "0" + "}" * (MAX_DEPTH + 1), "line 1 is nested more than 32"),
    ],
)
def test_it_is_bounded_in_bytes_rows_values_and_depth(key: str, text: str, problem: str) -> None:
    with pytest.raises(BadRows) as refused:
        rows_in(text, key)
    assert problem in str(refused.value)


def test_commas_in_texts_are_not_counted_as_values() -> None:
    assert rows_in(json.dumps({"a": ", [" * MAX_VALUES}), "q.jsonl").count == 1


def test_what_is_at_the_limits_is_read() -> None:
    assert rows_in("{}\n" * MAX_ROWS, "q.jsonl").count == MAX_ROWS
    deep = '{"a":' * MAX_DEPTH + "0" + "}" * MAX_DEPTH
    assert rows_in(deep, "q.jsonl").count == 1


def test_quotes_in_a_string_without_an_end_are_read_once() -> None:
    """Where the search begins again at each of them, this takes hours."""
    text = "," * (MAX_VALUES + 1) + '"' + '\\"' * 490_000

    with pytest.raises(BadRows):
        rows_in(text, "rows.jsonl")
