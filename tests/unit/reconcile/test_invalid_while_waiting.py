"""A job that cannot be submitted as it is says so at the first look, whatever else it would wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import Unavailable
from tests.unit.lifecycle.objects import evaljob, followed
from tests.unit.reconcile.answers import Evaluator, Stage, answer, manifest
from tests.unit.reconcile.objects_api import ObjectsApi

MASKED_CONFIG = {"config": {"type": "gsm8k", "params": {"extra": {"hf_token": "******"}}}}
MASKED_TARGET = {
    "model": None,
    "target": {
        "type": "model",
        "model": {"api_endpoint": {"url": "http://m.test/v1", "model_id": "m", "api_key": "******"}},
    },
}


def staged(**spec: Any) -> Stage:
    document = manifest(**spec)
    document["spec"] = {key: value for key, value in document["spec"].items() if value is not None}
    return Stage(Evaluator(lambda _: False, answer(200)), ObjectsApi(document))


def outage(stage: Stage) -> None:
    stage.breaker.trip(Unavailable("cannot connect"))


def all_slots_in_use(stage: Stage) -> None:
    stage.slot_pool.allow(1)
    stage.slot_pool.note(evaljob(meta={"name": "another", "uid": "another"}, status=followed()))


WAITS: dict[str, Callable[[Stage], None]] = {
    "EvaluatorUnreachable": outage,
    "Queued": all_slots_in_use,
}


@pytest.mark.parametrize("reason", WAITS)
@pytest.mark.parametrize("spec", [MASKED_CONFIG, MASKED_TARGET])
async def test_an_invalid_job_says_so_before_its_turn_comes(reason: str, spec: dict[str, Any]) -> None:
    stage = staged(**spec)
    WAITS[reason](stage)
    for _ in range(2):
        await stage.look()
        assert stage.reason == "InvalidSpec"
        assert "******" in stage.status["message"]

    assert stage.kube.events == ["InvalidSpec"]
    assert stage.evaluator.requests == []
    assert stage.slot_pool.waiting == 0


@pytest.mark.parametrize("reason", WAITS)
async def test_a_valid_job_waits_as_before(reason: str) -> None:
    stage = staged()
    WAITS[reason](stage)
    await stage.look()

    assert stage.reason == reason


@pytest.mark.parametrize("reason", WAITS)
async def test_an_invalid_job_that_is_corrected_waits_like_the_others(reason: str) -> None:
    stage = staged(**MASKED_CONFIG)
    WAITS[reason](stage)
    await stage.look()
    assert stage.kube.manifest is not None
    stage.kube.manifest["spec"]["config"] = {"type": "gsm8k"}
    stage.kube.manifest["metadata"]["generation"] += 1
    await stage.look()

    assert stage.reason == reason


async def test_an_invalid_target_is_reported_before_the_benchmark_is_ready() -> None:
    stage = staged(config=None, benchmarkRef={"name": "qa"}, **MASKED_TARGET)
    await stage.look()

    assert stage.reason == "InvalidSpec"


@pytest.mark.parametrize("path", ["config.params.extra.hf_token", "target.model.api_endpoint.api_key"])
async def test_a_secret_that_is_missing_hides_no_other_reason_to_wait(path: str) -> None:
    source = {"targetPath": path, "secretKeyRef": {"name": "token", "key": "token"}}
    stage = staged(valuesFrom=[source])
    outage(stage)
    await stage.look()

    assert stage.reason == "EvaluatorUnreachable"


async def test_what_a_benchmark_that_is_not_ready_would_take_is_not_judged_without_it() -> None:
    source = {
        "targetPath": "config.tasks.qa.params.token",
        "secretKeyRef": {"name": "token", "key": "token", "optional": True},
    }
    stage = staged(config=None, benchmarkRef={"name": "qa"}, valuesFrom=[source])
    await stage.look()

    assert stage.reason == "BenchmarkNotFound"
