"""The config that a run measures is recorded when it is submitted, without credentials."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import MASK, KnownSecrets
from nemo_eval_operator.lifecycle.job import end_status
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.lifecycle.job.attempts import next_attempt
from nemo_eval_operator.lifecycle.job.results import MAX_DOCUMENT_BYTES
from nemo_eval_operator.lifecycle.requests import config_document, measured_config
from nemo_eval_operator.lifecycle.requests.measured import MAX_CONFIG_BYTES
from nemo_eval_operator.resources import MeasuredConfig, NemoBenchmark, NemoEvalJob
from tests.unit.lifecycle.objects import NOW, benchmark, evaljob, followed, remote, stored

CONFIG: dict[str, Any] = {"type": "gsm8k", "params": {"limit_samples": 5, "temperature": 0.5}}


def measured(job: NemoEvalJob, of: NemoBenchmark | None = None, *secret_paths: str) -> MeasuredConfig:
    known = KnownSecrets()
    known.keep("job", "team-a", read=["correct-horse-4711-battery"])
    return measured_config(job, of, secret_paths=secret_paths, hide=known.of("job").hide_in)


def config_of(recorded: MeasuredConfig) -> Any:
    assert recorded.config is not None
    return json.loads(recorded.config)


def test_a_benchmark_is_recorded_with_its_name_and_generation() -> None:
    recorded = measured(evaljob(), benchmark(meta={"generation": 7}, config=CONFIG))
    assert (recorded.name, recorded.generation) == ("qa", 7)
    assert config_of(recorded) == CONFIG


def test_a_config_in_place_is_recorded_with_the_generation_of_the_job() -> None:
    recorded = measured(evaljob(meta={"generation": 3}, config=CONFIG))
    assert (recorded.name, recorded.generation) == (None, 3)
    assert config_of(recorded) == CONFIG


def test_the_hash_can_be_verified_with_sha256sum() -> None:
    recorded = measured(evaljob(config=CONFIG))
    assert recorded.config is not None
    assert recorded.hash == f"sha256:{hashlib.sha256(recorded.config.encode()).hexdigest()}"


def test_the_same_config_has_the_same_hash_whatever_it_is_called_and_wherever_it_stands() -> None:
    shuffled = {"namespace": "shared", "name": "other", "params": dict(reversed(CONFIG["params"].items()))}
    by_reference = measured(evaljob(), benchmark(config={**shuffled, "type": "gsm8k"}))
    assert by_reference.hash == measured(evaljob(config=CONFIG)).hash


def test_a_limit_of_samples_is_part_of_what_was_measured_and_shown_by_itself() -> None:
    limited = measured(evaljob(limitSamples=2), benchmark(config=CONFIG))
    whole = measured(evaljob(), benchmark(config=CONFIG))
    assert config_of(limited)["params"]["limit_samples"] == 2
    assert (limited.limit_samples, whole.limit_samples) == (2, 5)
    assert limited.hash != whole.hash
    assert measured(evaljob(), benchmark()).limit_samples is None


def test_sampling_parameters_are_part_of_what_was_measured() -> None:
    recorded = measured(evaljob(samplingParams={"temperature": 0}), benchmark(config=CONFIG))
    assert config_of(recorded)["params"] == {"limit_samples": 5, "temperature": 0}
    assert recorded.hash != measured(evaljob(), benchmark(config=CONFIG)).hash


@pytest.mark.parametrize("inline", [True, False])
def test_credentials_are_masked_wherever_they_stand(inline: bool) -> None:
    endpoint = {"url": "http://judge/v1", "model_id": "judge", "api_key": "sk-plain-text"}
    extra = {
        "judge": {"api_endpoint": endpoint},
        "note": "use correct-horse-4711-battery",
        "rapid_api_key": "abc",
    }
    config = {"type": "mt_bench", "params": {"extra": extra}}
    ref = {"name": "s", "key": "k"}
    if inline:
        job = evaljob(
            config=config,
            valuesFrom=[{"secretKeyRef": ref, "targetPath": "config.params.extra.hf_token"}],
        )
        recorded = measured(job, None, "config.params.extra.hf_token", "target.model.api_endpoint.api_key")
    else:
        values = [{"secretKeyRef": ref, "targetPath": "params.extra.hf_token"}]
        recorded = measured(evaljob(), benchmark(config=config, valuesFrom=values))
    found = config_of(recorded)["params"]["extra"]
    assert found == {
        "judge": {"api_endpoint": {**endpoint, "api_key": MASK}},
        "note": f"use {MASK}",
        "rapid_api_key": MASK,
        "hf_token": MASK,
    }


def test_the_spec_itself_is_not_masked() -> None:
    job = evaljob(config={"type": "x", "params": {"extra": {"hf_token": "hf_x"}}})
    measured(job)
    assert job.spec.config is not None
    assert job.spec.config.to_request()["params"] == {"extra": {"hf_token": "hf_x"}}


def test_a_large_config_is_recorded_by_its_hash_alone() -> None:
    job = evaljob(config={"type": "x", "params": {"extra": {"note": "\u00e9" * (MAX_CONFIG_BYTES // 2)}}})
    recorded = measured(job)
    assert recorded.config is None
    note = config_document(with_config(job, recorded))
    assert note is not None
    said = json.loads(note)["truncated"]
    assert "64 KiB" in said
    assert recorded.hash in said
    assert "NemoEvalJob qa-llama, generation 1" in said


def test_it_fits_beside_the_largest_results() -> None:
    assert MAX_DOCUMENT_BYTES + MAX_CONFIG_BYTES < 1024 * 1024 - 32 * 1024


def test_the_intent_records_it_and_the_end_keeps_generation_and_hash() -> None:
    job = evaljob()
    recorded = measured(job, benchmark(meta={"generation": 2}, config=CONFIG))
    intent = job_status.submitting(job, NOW, "n-1", None, recorded)
    assert intent.benchmark == recorded

    running = evaljob(status=followed(benchmark=recorded.to_manifest()))
    assert config_document(running) == recorded.config
    ended = end_status.succeeded(running, NOW, remote("completed"), stored())

    assert ended.benchmark == recorded.model_copy(update={"config": None})


def test_another_attempt_records_its_own() -> None:
    recorded = measured(evaljob(), benchmark(config=CONFIG))
    job = evaljob(status=followed(benchmark=recorded.to_manifest()))
    assert next_attempt(job, job.status, NOW).benchmark is None


def test_a_run_whose_status_was_lost_has_no_config_document() -> None:
    assert config_document(evaljob(status=followed())) is None


def with_config(job: NemoEvalJob, recorded: MeasuredConfig) -> NemoEvalJob:
    status = job.status.model_copy(update={"benchmark": recorded})
    return job.model_copy(update={"status": status})
