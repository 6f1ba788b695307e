"""Undeclared fields below dataset, model and params are reported with the field that was likely meant."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle.requests import event_of_unknown_fields
from nemo_eval_operator.lifecycle.requests.unknown_fields import unknown_fields
from tests.unit.lifecycle.objects import benchmark, evaljob
from tests.unit.resources.manifests import CONFIG, TARGET

TASK = {"type": "chat-completion", "metrics": {"m": {"type": "bleu"}}}
ENDPOINT = {"url": "http://nim.test/v1", "model_id": "m"}


def target(**model: Any) -> dict[str, Any]:
    return {"type": "model", "model": model}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (
            {"tasks": {"qa": {**TASK, "dataset": {"files_url": "f", "fromat": "jsonl", "limits": 3}}}},
            {
                "spec.config.tasks.qa.dataset.fromat": "format",
                "spec.config.tasks.qa.dataset.limits": "limit",
            },
        ),
        (
            {"tasks": {"a.b": {**TASK, "dataset": {"files_url": "f", "filesUrl": "g"}}}},
            {r"spec.config.tasks.a\.b.dataset.filesUrl": "files_url"},
        ),
        (
            {"params": {"tempreature": 0, "seed": 1}},
            {"spec.config.params.tempreature": "temperature", "spec.config.params.seed": None},
        ),
        # Free-form by nature, pasted from an answer of the server, or simply right.
        ({"params": {"extra": {"hf_tokn": "x"}}}, {}),
        ({"tasks": {"qa": {**TASK, "params": {"templat": 1}}}}, {}),
        ({"tasks": {"qa": {**TASK, "dataset": {"files_url": "f", "version_id": "main"}}}}, {}),
        (CONFIG, {}),
    ],
)
def test_in_a_config(config: dict[str, Any], found: dict[str, str | None]) -> None:
    assert unknown_fields(benchmark(config={"type": "custom"} | config)) == found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (target(api_endpiont=ENDPOINT), {"spec.target.model.api_endpiont": "api_endpoint"}),
        (
            target(api_endpoint=ENDPOINT | {"apikey": "k", "modelid": "x", "stream": False}, promt={}),
            {
                "spec.target.model.api_endpoint.apikey": "api_key",
                "spec.target.model.api_endpoint.modelid": "model_id",
                "spec.target.model.api_endpoint.stream": None,
                "spec.target.model.promt": "prompt",
            },
        ),
        (
            {"type": "dataset", "dataset": {"files_url": "f", "limt": 1}},
            {"spec.target.dataset.limt": "limit"},
        ),
        (TARGET, {}),
    ],
)
def test_in_a_target(given: dict[str, Any], found: dict[str, str | None]) -> None:
    assert unknown_fields(evaljob(target=given)) == found


def test_event_names_path_and_likely_field() -> None:
    event = event_of_unknown_fields(evaljob(target=target(api_endpoint=ENDPOINT | {"apikey": "k", "zz": 1})))
    assert event is not None
    assert (event.type, event.reason) == ("Warning", "UnknownField")
    assert "spec.target.model.api_endpoint.apikey (did you mean api_key?), " in event.message
    assert "'k'" not in event.message


def test_new_field_is_no_warning() -> None:
    event = event_of_unknown_fields(evaljob(target=target(api_endpoint=ENDPOINT | {"stream": False})))
    assert event is not None
    assert event.type == "Normal"


def test_many_are_counted_and_typos_come_first() -> None:
    params = {f"x{number}" * 99: number for number in range(20)} | {"max_tokns": 1}
    event = event_of_unknown_fields(benchmark(config={"type": "custom", "params": params}))
    assert event is not None
    assert event.message.startswith("unknown: spec.config.params.max_tokns (did you mean max_tokens?), ")
    assert "and 16 more" in event.message
    assert len(event.message) < 1024
