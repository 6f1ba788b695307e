"""The bodies that are sent: NeMo's part as it was written, our mark, and what this run changes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from nemo_eval_operator.lifecycle.requests import (
    UnusableTargetPath,
    config_body,
    config_name,
    job_body,
    model_name,
)
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob
from tests.unit.lifecycle.objects import UID, benchmark, evaljob

MARK = {"k8s-uid": UID, "k8s-namespace": "team-a"}
BENCHMARK_MARK = MARK | {"k8s-name": "qa"}
JOB_MARK = MARK | {"k8s-name": "qa-llama", "k8s-attempt": "1", "k8s-nonce": "n-1"}

CUSTOM: dict[str, Any] = {
    "type": "custom",
    "params": {"parallelism": 8, "temperature": 1, "extra": {"seed": None}},
    "tasks": {
        "sampled": {
            "type": "chat-completion",
            "params": {
                "template": {
                    "messages": "{% for m in item.messages %}{{ m | tojson }}{% endfor %}",
                    "max_tokens": 200,
                    "temperature": 1.0,
                }
            },
            "metrics": {"bleu": {"type": "bleu", "params": {"references": ["{{item.ideal_response}}"]}}},
        },
        "unsampled": {"type": "completion", "params": {"template": {"prompt": "{{item.q}}"}}},
        "text template": {"type": "data", "params": {"template": "{{item.q}}"}},
        "no template": {"type": "data", "params": {}},
        "no params": {"type": "beir", "dataset": "team-a/scidocs"},
    },
}


def body_of(
    job: NemoEvalJob,
    bench: NemoBenchmark | None = None,
    secrets: dict[str, str] | None = None,
    benchmark_secrets: dict[str, str] | None = None,
) -> dict[str, Any]:
    return job_body(job, bench, nonce="n-1", secrets=secrets or {}, benchmark_secrets=benchmark_secrets or {})


class TestConfigBody:
    @pytest.mark.parametrize(
        ("named", "expected"),
        [
            ({}, ("team-a", "qa")),
            ({"name": "other"}, ("team-a", "other")),
            ({"namespace": "shared"}, ("shared", "qa")),
            ({"name": "other", "namespace": "shared"}, ("shared", "other")),
        ],
    )
    def test_its_name_defaults_to_the_objects(self, named: dict[str, str], expected: tuple[str, str]) -> None:
        thing = benchmark(config=CUSTOM | named)
        assert config_name(thing) == expected
        body = config_body(thing, {})
        assert (body["namespace"], body["name"]) == expected

    def test_it_is_sent_word_for_word_with_our_mark(self) -> None:
        config = CUSTOM | {"params": {"a field of tomorrow": {"x": [1, None]}}, "description": None}
        assert config_body(benchmark(config=config), {}) == config | {
            "namespace": "team-a",
            "name": "qa",
            "custom_fields": BENCHMARK_MARK,
        }

    def test_the_users_own_fields_stay_beside_our_mark_which_cannot_be_forged(self) -> None:
        thing = benchmark(config=CUSTOM | {"custom_fields": {"team": "search", "k8s-uid": "forged"}})
        assert config_body(thing, {})["custom_fields"] == {"team": "search"} | BENCHMARK_MARK

    def test_secrets_go_where_the_spec_says_and_nowhere_else(self) -> None:
        thing = benchmark(config=CUSTOM)
        body: Any = config_body(
            thing, {"params.extra.hf_token": "hf_x", "tasks.unsampled.params.judge.api_key": "k"}
        )
        assert body["params"]["extra"] == {"seed": None, "hf_token": "hf_x"}
        assert body["tasks"]["unsampled"]["params"]["judge"] == {"api_key": "k"}
        assert "hf_x" not in thing.model_dump_json()
        assert thing == benchmark(config=CUSTOM)

    def test_a_null_is_nothing_in_the_way(self) -> None:
        body: Any = config_body(benchmark(config=CUSTOM), {"params.extra.seed.token": "hf_x"})
        assert body["params"]["extra"] == {"seed": {"token": "hf_x"}}

    def test_parents_are_made_where_there_are_none(self) -> None:
        body = config_body(benchmark(), {"params.extra.hf_token": "hf_x"})
        assert body["params"] == {"extra": {"hf_token": "hf_x"}}

    def test_a_secret_may_go_into_the_users_own_fields(self) -> None:
        thing = benchmark(config=CUSTOM | {"custom_fields": {"team": "search"}})
        body = config_body(thing, {"custom_fields.token": "t"})
        assert body["custom_fields"] == {"team": "search", "token": "t"} | BENCHMARK_MARK

    @pytest.mark.parametrize(
        ("path", "obstacle"),
        [
            ("type.token", "type"),
            ("params.parallelism.token", "params.parallelism"),
            (
                "tasks.sampled.metrics.bleu.params.references.0",
                "tasks.sampled.metrics.bleu.params.references",
            ),
        ],
    )
    def test_a_path_through_what_is_no_object_is_refused(self, path: str, obstacle: str) -> None:
        with pytest.raises(UnusableTargetPath) as caught:
            config_body(benchmark(config=CUSTOM), {path: "hf_x"})
        assert caught.value.path == path
        assert str(caught.value) == f"valuesFrom targetPath {path!r}: {obstacle!r} is not an object"


class TestJobBody:
    def test_a_benchmark_is_referred_to_by_name(self) -> None:
        bench = benchmark(config=CUSTOM | {"namespace": "shared"})
        assert body_of(evaljob(), bench, benchmark_secrets={"params.extra.hf_token": "hf_x"}) == {
            "namespace": "team-a",
            "config": "shared/qa",
            "target": {"type": "model", "model": "meta/llama-3.1-8b-instruct"},
            "custom_fields": JOB_MARK,
        }

    def test_every_mark_is_a_string(self) -> None:
        job = evaljob(status={"attempt": 7})
        fields = body_of(job, benchmark())["custom_fields"]
        assert fields["k8s-attempt"] == "7"
        assert all(isinstance(value, str) for value in fields.values())

    def test_an_inline_config_is_sent_word_for_word(self) -> None:
        config = CUSTOM | {"name": "mine", "namespace": "shared", "params": {"a field of tomorrow": [1]}}
        assert body_of(evaljob(config=config))["config"] == config

    def test_a_target_is_sent_word_for_word(self) -> None:
        target = {
            "type": "retriever",
            "retriever": {"pipeline": {"query_embedding_model": "a", "index_embedding_model": "b"}},
            "rows": [{"x": "{{ y }}", "weight": 1.0, "none": None}],
            "model": {"a field of tomorrow": 1},
        }
        assert body_of(evaljob(config=CUSTOM, target=target))["target"] == target

    def test_without_any_config_the_evaluator_is_the_one_to_complain(self) -> None:
        assert body_of(evaljob())["config"] == {}

    def test_jinja_braces_are_untouched(self) -> None:
        job = evaljob(config=CUSTOM, samplingParams={"temperature": 0})
        tasks = body_of(job)["config"]["tasks"]
        template = tasks["sampled"]["params"]["template"]
        assert template["messages"] == "{% for m in item.messages %}{{ m | tojson }}{% endfor %}"
        assert tasks["sampled"]["metrics"]["bleu"]["params"]["references"] == ["{{item.ideal_response}}"]


class TestSampling:
    SAMPLING = {"temperature": 0, "max_tokens": 100, "stop": ["\n"]}  # noqa: RUF012 - never changed

    @pytest.mark.parametrize("inline", [True, False])
    def test_it_overrides_params_and_where_a_template_sets_its_own(self, inline: bool) -> None:
        if inline:
            sampled = body_of(evaljob(config=CUSTOM, samplingParams=self.SAMPLING))["config"]
        else:
            bench = benchmark(config=CUSTOM)
            sampled = body_of(evaljob(samplingParams=self.SAMPLING), bench)["config"]
        expected = deepcopy(CUSTOM)
        expected["params"] |= self.SAMPLING
        expected["tasks"]["sampled"]["params"]["template"] |= {"temperature": 0, "max_tokens": 100}
        assert sampled == expected

    def test_params_are_made_where_there_are_none(self) -> None:
        body = body_of(evaljob(config={"type": "gsm8k"}, samplingParams={"top_p": 1}))
        assert body["config"] == {"type": "gsm8k", "params": {"top_p": 1}}

    def test_the_benchmark_is_not_changed_by_it(self) -> None:
        bench = benchmark(config=CUSTOM)
        body_of(evaljob(samplingParams=self.SAMPLING), bench, secrets={"config.params.extra.x": "s"})
        assert bench == benchmark(config=CUSTOM)
        assert bench.spec.config.to_request() == CUSTOM

    def test_the_copy_has_no_name_that_could_be_taken(self) -> None:
        named = CUSTOM | {"name": "qa", "namespace": "shared", "description": "kept"}
        copy = body_of(evaljob(samplingParams={"top_p": 1}), benchmark(config=named))["config"]
        assert not {"name", "namespace"} & copy.keys()
        assert copy["description"] == "kept"

    def test_the_copy_brings_the_benchmarks_secrets_since_stored_ones_are_not_in_it(self) -> None:
        body = body_of(
            evaljob(samplingParams={"top_p": 1}),
            benchmark(config=CUSTOM),
            benchmark_secrets={"params.extra.hf_token": "hf_x"},
        )
        assert body["config"]["params"]["extra"] == {"seed": None, "hf_token": "hf_x"}


class TestLimitSamples:
    @pytest.mark.parametrize("inline", [True, False])
    def test_it_is_sent_as_limit_samples_instead_of_the_benchmarks(self, inline: bool) -> None:
        config = CUSTOM | {"params": {"limit_samples": 50, "temperature": 0.5}}
        job = evaljob(limitSamples=5, **({"config": config} if inline else {}))
        body = body_of(job, None if inline else benchmark(config=config))
        assert body["config"] == config | {"params": {"limit_samples": 5, "temperature": 0.5}}

    def test_params_are_made_where_there_are_none(self) -> None:
        body = body_of(evaljob(limitSamples=1), benchmark(config={"type": "gsm8k"}))
        assert body["config"] == {"type": "gsm8k", "params": {"limit_samples": 1}}

    def test_a_dry_run_evaluates_one_sample(self) -> None:
        body = body_of(evaljob(dryRun=True), benchmark(config=CUSTOM | {"params": {"limit_samples": 50}}))
        assert body["config"]["params"] == {"limit_samples": 1}
        assert body_of(evaljob(dryRun=False), benchmark())["config"] == "team-a/qa"

    def test_it_goes_with_sampling_parameters(self) -> None:
        job = evaljob(limitSamples=1, samplingParams={"top_p": 1})
        config = body_of(job, benchmark(config={"type": "gsm8k"}))["config"]
        assert config["params"] == {"top_p": 1, "limit_samples": 1}


class TestValuesFrom:
    def test_a_value_for_the_target_leaves_the_benchmark_a_reference(self) -> None:
        target = {"type": "model", "model": {"api_endpoint": {"url": "http://nim.test", "model_id": "m"}}}
        body = body_of(
            evaljob(target=target), benchmark(), secrets={"target.model.api_endpoint.api_key": "key"}
        )
        assert body["config"] == "team-a/qa"
        assert body["target"]["model"]["api_endpoint"]["api_key"] == "key"

    def test_a_value_for_the_config_makes_a_copy_and_wins_over_the_benchmarks(self) -> None:
        body = body_of(
            evaljob(),
            benchmark(config=CUSTOM),
            secrets={"config.params.extra.hf_token": "mine"},
            benchmark_secrets={"params.extra.hf_token": "theirs", "params.extra.other": "kept"},
        )
        extra = body["config"]["params"]["extra"]
        assert extra == {"seed": None, "hf_token": "mine", "other": "kept"}

    def test_a_value_goes_into_an_inline_config(self) -> None:
        job = evaljob(config={"type": "gsm8k"})
        body = body_of(job, secrets={"config.params.extra.hf_token": "hf_x"})
        assert body["config"] == {"type": "gsm8k", "params": {"extra": {"hf_token": "hf_x"}}}
        assert "hf_x" not in job.model_dump_json()

    @pytest.mark.parametrize("path", ["target.model.api_key", "config.type.x"])
    def test_a_path_through_text_is_refused(self, path: str) -> None:
        with pytest.raises(UnusableTargetPath, match="is not an object") as caught:
            body_of(evaljob(config=CUSTOM), secrets={path: "hf_x"})
        assert "hf_x" not in str(caught.value)

    def test_the_benchmarks_own_paths_are_checked_too(self) -> None:
        with pytest.raises(UnusableTargetPath):
            body_of(evaljob(samplingParams={"top_p": 1}), benchmark(), benchmark_secrets={"type.x": "hf_x"})

    def test_the_mark_cannot_be_overwritten(self) -> None:
        body = body_of(evaljob(), benchmark(), secrets={"custom_fields.k8s-uid": "forged"})
        assert body["custom_fields"] == JOB_MARK


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"model": "meta/llama"}, "meta/llama"),
        ({"target": {"type": "model", "model": "meta/llama"}}, "meta/llama"),
        (
            {"target": {"type": "model", "model": {"api_endpoint": {"url": "u", "model_id": "m"}}}},
            "m",
        ),
        ({"target": {"type": "model", "model": {"name": "a"}}}, "(model)"),
        ({"target": {"type": "cached_outputs", "cached_outputs": {"files_url": "f"}}}, "(cached_outputs)"),
        ({"target": {"type": "rows", "rows": []}}, "(rows)"),
        ({"model": None}, None),
    ],
)
def test_the_model_is_shown_by_its_name_or_the_kind_of_target(spec: dict[str, Any], name: str | None) -> None:
    assert model_name(evaljob(**spec)) == name
