"""A job that has a slot and cannot be submitted gives it back: others wait for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from nemo_eval_operator.kube import KubeError
from nemo_eval_operator.lifecycle import FINALIZER
from tests.unit.reconcile.answers import Evaluator, Stage, answer, manifest
from tests.unit.reconcile.objects_api import ObjectsApi


def staged() -> Stage:
    stage = Stage(Evaluator(lambda _: False, answer(200)), ObjectsApi(manifest(meta={"finalizers": []})))
    stage.slot_pool.allow(1)
    return stage


def is_claim(request: httpx.Request) -> bool:
    return request.method == "PATCH" and not request.url.path.endswith("/status")


def is_intent(request: httpx.Request) -> bool:
    return request.url.path.endswith("/status") and b'"submission"' in request.content


def refuse(of: Callable[[httpx.Request], bool]) -> Callable[[Stage], None]:
    def prepare(stage: Stage) -> None:
        stage.kube.refuse = of

    return prepare


def outdate(of: Callable[[httpx.Request], bool]) -> Callable[[Stage], None]:
    def prepare(stage: Stage) -> None:
        def edit(request: httpx.Request) -> bool:
            if of(request):
                stage.kube.edit(lambda manifest: manifest["metadata"].update(labels={"edited": "true"}))
            return False

        stage.kube.refuse = edit

    return prepare


@pytest.mark.parametrize(
    "prepare",
    [refuse(is_claim), refuse(is_intent), outdate(is_claim), outdate(is_intent)],
    ids=["claim refused", "intent refused", "claim outdated", "intent outdated"],
)
async def test_a_slot_is_given_back_while_no_intent_is_written(prepare: Callable[[Stage], None]) -> None:
    stage = staged()
    prepare(stage)
    with suppress(KubeError):
        await stage.look()

    assert stage.evaluator.posts() == 0
    assert stage.slot_pool.running == 0


async def test_a_job_says_that_kubernetes_refuses_its_finalizer_and_goes_on_when_it_does_not() -> None:
    stage = staged()
    stage.kube.refuse = is_claim
    await stage.look()

    assert stage.reason == "FinalizerRefused"
    assert "Too long" in stage.status["message"]
    assert stage.status["conditions"][1]["type"] == "Stalled"
    stage.kube.refuse = lambda _: False
    await stage.look_until(stage.is_followed)
    assert stage.kube.manifest is not None
    assert stage.kube.manifest["metadata"]["finalizers"] == [FINALIZER]
    assert stage.evaluator.posts() == 1
