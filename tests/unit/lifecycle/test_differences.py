"""What is said of two configs or targets that differ, whatever a hostile tenant has put into them."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from nemo_eval_operator.evaluator.model.redaction import CONTROLS
from nemo_eval_operator.lifecycle.requests import differences

CONFIG: dict[str, Any] = {
    "type": "custom",
    "params": {"temperature": 0, "max_tokens": 32},
    "tasks": {"qa": {"type": "data", "dataset": {"files_url": "hf://datasets/team-a/qa"}}},
}


def texts(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return [one.text for one in differences(first, second).found]


def test_equal_documents_have_no_differences() -> None:
    shuffled = dict(reversed(CONFIG.items()))
    assert differences(CONFIG, shuffled) == differences({}, {})
    assert differences(CONFIG, shuffled).text(3) == ""


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"params": {"temperature": 0}}, {"params": {}}, ["params.temperature: 0 and not set"]),
        (
            {"params": {"temperature": 0, "max_tokens": 32}},
            {},
            ["params.max_tokens: 32 and not set", "params.temperature: 0 and not set"],
        ),
        ({}, {"tasks": {"qa": {"a": {"b": 1}}}}, ["tasks.qa.a.b: not set and 1"]),
        ({}, {"tasks": {"a": {"b": 1}, "c": {}}}, ['tasks: not set and {"a": {"b": 1}, "c": {}}']),
        ({"a": 0}, {"a": False}, ["a: 0 and false"]),
        ({"a": None}, {}, []),
        ({"stop": ["a"]}, {"stop": ["a", "b"]}, ['stop: ["a"] and ["a", "b"]']),
        ({"m": [{"x": 1}, {"x": 2}]}, {"m": [{"x": 1}, {"x": 3}]}, ["m[1].x: 2 and 3"]),
        ({"m": {"recall.5": 1}}, {"m": {"recall.5": 2}}, ["m.recall\\.5: 1 and 2"]),
        ({"a": {"b": 1}}, {"a": "text"}, ['a: {…} and "text"', "a.b: 1 and not set"]),
        (
            {"model": "m"},
            {"model": {"api_endpoint": {"model_id": "m"}, "prompt": {"inference_params": {"stop": [" "]}}}},
            [
                'model: "m" and {…}',
                'model.api_endpoint.model_id: not set and "m"',
                'model.prompt.inference_params.stop: not set and [" "]',
            ],
        ),
        ({"a": {}}, {"a": [1]}, ["a: {} and [1]"]),
    ],
)
def test_a_field_is_named_with_both_values(
    first: dict[str, Any], second: dict[str, Any], expected: list[str]
) -> None:
    assert texts(first, second) == expected


def test_credentials_are_masked_and_their_values_are_not_compared() -> None:
    first = {"params": {"extra": {"hf_token": "hf_secret-one"}}, "u": "http://u:pass-one@h", "api_key": "k1"}
    second = {
        "params": {"extra": {"hf_token": "hf_secret-two"}},
        "u": "http://u:pass-two@h",
        "api_key": "k2",
    }
    before = deepcopy(first)
    (only,) = texts(first, second)
    assert only.startswith("u: ")
    assert only.endswith(" and another value, which differs in what is not shown")
    assert "pass" not in only
    assert first == before, "the documents themselves are not masked"
    assert texts({"api_key": "k1"}, {}) == ['api_key: "******" and not set']


def test_long_values_are_shown_where_they_differ() -> None:
    (found,) = texts({"prompt": "x" * 500 + "one" + "y" * 500}, {"prompt": "x" * 500 + "two" + "y" * 500})
    assert "xone" in found
    assert "xtwo" in found
    assert len(found) < 200
    assert found.count("…") == 4
    (found,) = texts({"stop": ["x"] * 50}, {"stop": ["x"] * 50 + ["y"]})
    assert found.endswith(', "x", "y"]')


def test_number_length_and_characters_are_limited_whatever_the_documents_hold() -> None:
    keys = [f"\x1b[31m\u202e{number:04}{'k' * 1000}" for number in range(500)]
    first: dict[str, Any] = dict.fromkeys(keys, "\x00\n\u2066a" * 5000)
    second: dict[str, Any] = dict.fromkeys(keys, "\x00\n\u2066b" * 5000)
    found = differences(first, second)
    assert (len(found.found), found.left_out) == (20, 480)
    text = found.text(3)
    assert text.endswith("; and 497 more")
    assert len(text) < 1_000
    assert not CONTROLS.search("".join(one.text for one in found.found))
    assert found == differences(dict(reversed(first.items())), dict(reversed(second.items())))


def test_documents_may_be_as_deep_as_the_parser_takes_them() -> None:
    first, second = (json.loads('{"a":' * 199 + end + "}" * 199) for end in "12")
    (found,) = differences(first, second).found
    assert found.path == ".".join(["a"] * 24)
