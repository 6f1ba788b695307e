"""Credentials in plain text are found and reported by their path, and never shown."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle.requests import event_of_plain_secrets, plain_secrets
from tests.unit.lifecycle.objects import benchmark, evaljob

ENDPOINT = {"url": "http://nim.test", "model_id": "m", "api_key": "canary-a"}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"params": {"extra": {"hf_token": "canary"}}}, {"spec.config.params.extra.hf_token": "canary"}),
        (
            {"params": {"extra": {"judge": {"url": "u", "api_key": "canary"}, "rapid_api_key": "canary-2"}}},
            {
                "spec.config.params.extra.judge.api_key": "canary",
                "spec.config.params.extra.rapid_api_key": "canary-2",
            },
        ),
        (
            {
                "tasks": {
                    "a.b": {
                        "type": "t",
                        "metrics": {"m": {"type": "t", "params": {"x": [{"api_key": "canary"}]}}},
                    }
                }
            },
            {r"spec.config.tasks.a\.b.metrics.m.params.x[0].api_key": "canary"},
        ),
        # Numbers of tokens, empty and masked values, and the user's own data are no credentials.
        ({"params": {"max_tokens": 5, "extra": {"hf_token": "", "num_token": 4, "api_key": "******"}}}, {}),
        ({"custom_fields": {"api_key": "not-ours"}}, {}),
        ({"params": {"extra": {"tokenizer": "meta/llama", "hf_token": None}}}, {}),
    ],
)
def test_credentials_are_found_where_nemo_takes_them(config: dict[str, Any], found: dict[str, str]) -> None:
    assert plain_secrets(benchmark(config={"type": "custom"} | config)) == found


def test_a_job_may_have_them_in_config_and_target() -> None:
    config = {"type": "gsm8k", "params": {"extra": {"hf_token": "canary-h"}}}
    job = evaljob(config=config, target={"type": "model", "model": {"api_endpoint": ENDPOINT}})
    assert plain_secrets(job) == {
        "spec.config.params.extra.hf_token": "canary-h",
        "spec.target.model.api_endpoint.api_key": "canary-a",
    }
    rows = evaljob(target={"type": "rows", "rows": [{"api_key": "a column"}]})
    assert plain_secrets(rows) == {}


def test_what_values_from_replaces_is_a_placeholder() -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}, "targetPath": "params.extra.hf_token"}
    thing = benchmark(
        config={"type": "gsm8k", "params": {"extra": {"hf_token": "from the Secret"}}},
        valuesFrom=[source],
    )
    assert plain_secrets(thing) == {}
    assert event_of_plain_secrets(thing) is None


def test_the_warning_shows_the_better_way_and_not_the_value() -> None:
    event = event_of_plain_secrets(
        benchmark(config={"type": "gsm8k", "params": {"extra": {"hf_token": "canary"}}})
    )
    assert event is not None
    assert (event.type, event.reason) == ("Warning", "PlainTextSecret")
    assert event.message.startswith("spec.config.params.extra.hf_token: a credential in plain text")
    assert "targetPath: params.extra.hf_token}" in event.message
    job = event_of_plain_secrets(evaljob(target={"type": "model", "model": {"api_endpoint": ENDPOINT}}))
    assert job is not None
    assert "targetPath: target.model.api_endpoint.api_key}" in job.message
    assert "canary" not in event.message + job.message


def test_many_are_counted() -> None:
    extra = {f"service{number}_api_key": "canary" for number in range(8)}
    event = event_of_plain_secrets(benchmark(config={"type": "bfcl", "params": {"extra": extra}}))
    assert event is not None
    assert "service4_api_key and 3 more: " in event.message
    assert len(event.message) <= 1_024
