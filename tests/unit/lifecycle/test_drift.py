"""Whether the evaluator still holds the config, through everything a server adds to what it was sent."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from nemo_eval_operator.lifecycle.requests import update_body
from nemo_eval_operator.lifecycle.requests.drift import drifted_paths, leftover_paths

SENT: dict[str, Any] = {
    "type": "custom",
    "name": "company-qa",
    "namespace": "team-a",
    "params": {
        "temperature": 0.00001,
        "max_tokens": 256,
        "stop": ["<|eot|>"],
        "extra": {"num_fewshot": 8, "hf_token": "hf_x", "use_greedy": True},
    },
    "tasks": {
        "qa": {
            "type": "chat-completion",
            "params": {"template": {"messages": [{"role": "user", "content": "{{item.question}}"}]}},
            "dataset": {"files_url": "hf://datasets/team-a/qa", "limit": 20},
            "metrics": {
                "judge": {
                    "type": "llm-judge",
                    "params": {"model": {"api_endpoint": {"url": "http://j.test", "api_key": "k"}}},
                }
            },
        },
    },
    "custom_fields": {"k8s-uid": "u-1"},
}

STAMPS = {"created_at": "2025-07-08T19:39:55.734565", "updated_at": "2025-07-08T19:39:55.734568"}

ADDED = STAMPS | {
    "schema_version": "1.0",
    "namespace": "default",
    "custom_fields": {},
    "version_id": "main",
    "version_tags": [],
}


def answered(config: dict[str, Any] = SENT) -> dict[str, Any]:
    """What a 25.06 server answers to `config`: decorated, masked, reordered."""
    answer = STAMPS | deepcopy(config) | {"id": "eval-config-1", "schema_version": "1.0"}
    answer["params"]["extra"]["hf_token"] = "******"
    task = answer["tasks"]["qa"]
    task["dataset"] |= ADDED | {"id": "dataset-1", "name": "dataset-1"}
    model = task["metrics"]["judge"]["params"]["model"]
    model |= ADDED | {"id": "model-1", "name": "model-1", "type_prefix": "model"}
    model["api_endpoint"]["api_key"] = "******"
    return dict(reversed(answer.items()))


def changed(path: str, value: object) -> dict[str, Any]:
    """The answer with one value of it replaced."""
    answer = answered()
    *parents, last = path.split(".")
    node: Any = answer
    for parent in parents:
        node = node[int(parent)] if isinstance(node, list) else node[parent]
    node[int(last) if isinstance(node, list) else last] = value
    return answer


def without(path: str) -> dict[str, Any]:
    answer = answered()
    *parents, last = path.split(".")
    node: Any = answer
    for parent in parents:
        node = node[parent]
    del node[last]
    return answer


def sent_without(path: str) -> dict[str, Any]:
    sent = deepcopy(SENT)
    *parents, last = path.split(".")
    node: Any = sent
    for parent in parents:
        node = node[parent]
    del node[last]
    return sent


def test_what_the_server_adds_masks_and_reorders_is_no_drift() -> None:
    assert list(drifted_paths(SENT, answered())) == []
    assert leftover_paths(SENT, answered()) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("type", "gsm8k"),
        ("params.max_tokens", 255),
        ("params.temperature", None),
        ("params.stop", "<|eot|>"),
        ("params.stop", []),
        ("params.stop", ["<|eot|>", "more"]),
        ("params.extra", None),
        ("params.extra.use_greedy", False),
        ("params", "text"),
        ("tasks.qa.dataset.limit", 10),
        ("tasks.qa.dataset", "team-a/qa"),
        ("tasks.qa.metrics.judge.type", "bleu"),
        ("custom_fields.k8s-uid", "another"),
    ],
)
def test_a_contradiction_is_named_by_its_path(path: str, value: object) -> None:
    assert list(drifted_paths(SENT, changed(path, value))) == [path]


def test_a_difference_within_a_list_is_named_by_its_index() -> None:
    path = "tasks.qa.params.template.messages.0.content"
    assert list(drifted_paths(SENT, changed(path, "{{item.q}}"))) == [path]


@pytest.mark.parametrize("path", ["params.max_tokens", "params.stop", "tasks.qa.metrics", "tasks"])
def test_what_the_server_lost_is_drift(path: str) -> None:
    assert [found.startswith(path) for found in drifted_paths(SENT, without(path))] == [True]


def test_a_null_that_the_server_omits_is_no_drift_and_one_that_it_ignores_is() -> None:
    assert list(drifted_paths({"a": None, "b": {"c": None}}, {"b": {}})) == []
    assert list(drifted_paths({"a": None}, {"a": 1})) == ["a"]


def test_numbers_are_compared_by_value() -> None:
    assert list(drifted_paths({"t": 0, "p": 1}, {"t": 0.0, "p": 1.0})) == []


@pytest.mark.parametrize("secret", ["hf_x", None, 5, {"nested": "hf_x"}, ["hf_x"]])
def test_a_mask_says_nothing_about_what_is_behind_it(secret: Any) -> None:
    assert list(drifted_paths({"hf_token": secret}, {"hf_token": "******"})) == []


@pytest.mark.parametrize(
    ("returned", "drift"),
    [
        ("hf://datasets/a/b", []),
        ({"files_url": "hf://datasets/a/b", "id": "dataset-1"}, []),
        ({"files_url": "hf://datasets/a/other"}, ["tasks.qa.dataset"]),
        (None, ["tasks.qa.dataset"]),
    ],
)
def test_a_dataset_given_as_text_may_come_back_as_an_object(returned: Any, drift: list[str]) -> None:
    sent: dict[str, Any] = {"tasks": {"qa": {"dataset": "hf://datasets/a/b"}}}
    assert list(drifted_paths(sent, {"tasks": {"qa": {"dataset": returned}}})) == drift


def test_text_is_not_an_object_elsewhere() -> None:
    assert list(drifted_paths({"model": "a"}, {"model": {"files_url": "a"}})) == ["model"]


@pytest.mark.parametrize(
    "dropped",
    [
        "params.temperature",
        "params.stop",
        "params.extra.num_fewshot",
        "params.extra",
        "tasks.qa.dataset.limit",
        "tasks.qa.metrics.judge",
        "tasks.qa.metrics",
        "tasks.qa",
        "tasks",
    ],
)
def test_what_the_spec_dropped_is_removed_by_a_null(dropped: str) -> None:
    desired, current = sent_without(dropped), answered()
    assert list(drifted_paths(desired, current)) == []
    assert leftover_paths(desired, current) == [tuple(dropped.split("."))]
    expected = deepcopy(desired)
    *parents, last = dropped.split(".")
    node: Any = expected
    for parent in parents:
        node = node[parent]
    node[last] = None
    assert update_body(desired, current) == expected


@pytest.mark.parametrize("field", ["description", "project", "groups"])
def test_a_managed_field_without_a_value_in_the_spec_is_removed(field: str) -> None:
    current = answered() | {field: {"all": {"tasks": ["qa"]}} if field == "groups" else "of old"}
    assert update_body(SENT, current) == SENT | {field: None}


@pytest.mark.parametrize("empty", [None, {}, [], ""])
@pytest.mark.parametrize("field", ["description", "groups"])
def test_an_empty_field_is_no_leftover(field: str, empty: object) -> None:
    assert leftover_paths(SENT, answered() | {field: empty}) == []


@pytest.mark.parametrize("empty", [None, {}, []])
def test_an_empty_value_within_is_no_leftover_and_a_false_one_is(empty: object) -> None:
    current = answered()
    current["params"]["parallelism"] = empty
    assert leftover_paths(SENT, current) == []
    current["params"]["parallelism"] = 0
    assert leftover_paths(SENT, current) == [("params", "parallelism")]


def test_the_servers_own_fields_are_its_own_only_in_a_dataset_or_model() -> None:
    current = answered()
    current["params"]["name"] = "of old"
    current["tasks"]["qa"]["dataset"]["split"] = "of old"
    assert leftover_paths(SENT, current) == [("params", "name"), ("tasks", "qa", "dataset", "split")]


def test_an_update_sends_everything_since_secrets_cannot_be_compared() -> None:
    desired = deepcopy(SENT)
    assert update_body(desired, answered()) == SENT
    assert update_body(desired, {}) == SENT
    patch: Any = update_body(desired, answered() | {"description": "of old"})
    patch["params"]["extra"]["hf_token"] = "changed"
    assert desired == SENT


def merged(current: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def test_a_server_that_merges_the_update_holds_what_the_spec_says() -> None:
    before = answered() | {"description": "of old"}
    before["params"]["parallelism"] = 4
    before["tasks"]["gone"] = {"type": "data"}
    after = merged(before, update_body(SENT, before))
    assert list(drifted_paths(SENT, after | {"params": answered()["params"]})) == []
    assert leftover_paths(SENT, after) == []
