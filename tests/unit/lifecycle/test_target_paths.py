"""Where valuesFrom puts a value: the path's words, and what cannot be followed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_eval_operator.lifecycle.requests import UnusableTargetPath
from nemo_eval_operator.lifecycle.requests.target_paths import Step, parse, place, shown
from nemo_eval_operator.resources.values import TARGET_PATH


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("params.extra.hf_token", ["params", "extra", "hf_token"]),
        ("target.rows[0].key", ["target", "rows", 0, "key"]),
        ("a[0][12]", ["a", 0, 12]),
        (
            r"tasks.qa.metrics.retriever\.recall_5.params.judge",
            ["tasks", "qa", "metrics", "retriever.recall_5", "params", "judge"],
        ),
        (r"a\[0\].b\\c", ["a[0]", "b\\c"]),
        ("tasks.0.x", ["tasks", "0", "x"]),
        ("with space.é", ["with space", "é"]),
    ],
)
def test_a_path_is_read_as_flux_and_helm_read_it(path: str, steps: list[Step]) -> None:
    assert parse(path) == steps
    assert shown(steps) == path
    assert re.fullmatch(TARGET_PATH, path)


@pytest.mark.parametrize(
    "path",
    ["", ".", "a.", ".a", "a..b", "[0]", "a[", "a[]", "a[x]", "a[-1]", "a[0]b", "a]", "a[123456]", "a\\"],
)
def test_what_is_no_path_is_refused_here_and_by_the_api_server(path: str) -> None:
    with pytest.raises(UnusableTargetPath, match="valuesFrom targetPath"):
        parse(path)
    assert not re.fullmatch(TARGET_PATH, path)


@given(
    st.lists(st.text(min_size=1) | st.integers(0, 99_999), min_size=1).filter(
        lambda steps: isinstance(steps[0], str)
    )
)
def test_every_place_has_a_path(steps: list[Step]) -> None:
    assert parse(shown(steps)) == steps


@pytest.mark.parametrize(
    ("body", "path", "after"),
    [
        ({}, "a.b", {"a": {"b": "v"}}),
        ({"a": None}, "a.b", {"a": {"b": "v"}}),
        ({"a": {"b": "placeholder", "c": 1}}, "a.b", {"a": {"b": "v", "c": 1}}),
        ({"rows": [{"k": 1}, {}]}, "rows[1].key", {"rows": [{"k": 1}, {"key": "v"}]}),
        ({"rows": [{"k": 1}]}, "rows[1].key", {"rows": [{"k": 1}, {"key": "v"}]}),
        ({"check": ["a", "equals", "b"]}, "check[2]", {"check": ["a", "equals", "v"]}),
        ({}, "rows[0][0].k", {"rows": [[{"k": "v"}]]}),
        ({"rows": [None]}, "rows[0].k", {"rows": [{"k": "v"}]}),
    ],
)
def test_a_value_is_put_in_its_place(body: Any, path: str, after: Any) -> None:
    place(body, path, "v")
    assert body == after


@pytest.mark.parametrize(
    ("body", "path", "problem"),
    [
        ({"a": "text"}, "a.b", "'a' is not an object"),
        ({"a": [1]}, "a.b", "'a' is not an object"),
        ({"a": {"b": 1}}, "a.b.c.d", "'a.b' is not an object"),
        ({"a": {}}, "a[0]", "'a' is not a list"),
        ({"a": {"b.c": [1]}}, r"a.b\.c[0][1]", r"'a.b\\.c[0]' is not a list"),
        ({"rows": [{}]}, "rows[2].key", "'rows' has only 1 items"),
        ({}, "rows[99999]", "'rows' has only 0 items"),
    ],
)
def test_a_path_that_leads_nowhere_names_the_obstacle(body: Any, path: str, problem: str) -> None:
    with pytest.raises(UnusableTargetPath) as caught:
        place(body, path, "the-value")
    assert str(caught.value) == f"valuesFrom targetPath {path!r}: {problem}"
