"""Runs whose object cannot be read for a while: after a downgrade, or with a CRD newer than the operator."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lifecycle.objects import CLAIMED, condition, finished, followed
from tests.unit.reconcile.answers import Evaluator, Stage, answer, manifest, remote
from tests.unit.reconcile.objects_api import ObjectsApi

UNREADABLE = {"criteria": [{"score": "em", "tier": "Sometimes"}]}


def staged(status: dict[str, Any]) -> Stage:
    document = manifest(meta=CLAIMED | {"generation": 1}, status=status)
    document["spec"]["gate"] = UNREADABLE
    evaluator = Evaluator(lambda _: False, answer(200), jobs={"eval-1": remote("running")})
    return Stage(evaluator, ObjectsApi(document))


def correct(document: dict[str, Any]) -> None:
    del document["spec"]["gate"]


async def test_what_a_run_came_to_is_kept() -> None:
    stage = staged(finished())
    before = dict(stage.status)
    await stage.look()
    assert stage.status == before
    assert stage.kube.events == []


async def test_an_edit_of_an_ended_run_is_answered_by_an_event() -> None:
    stage = staged(finished(observedGeneration=0))
    await stage.look()
    assert (stage.status["phase"], stage.reason) == ("Succeeded", "Completed")
    assert stage.kube.events == ["InvalidSpec"]


async def test_a_run_whose_object_can_be_read_again_shows_its_state() -> None:
    stage = staged(followed())
    await stage.look()
    assert (stage.status["phase"], stage.reason) == ("Running", "InvalidSpec")
    assert "eval-1" in stage.status["message"]

    stage.kube.edit(correct)
    await stage.look()
    assert (stage.status["phase"], stage.reason) == ("Running", "Running")


@pytest.mark.parametrize("reason", ["OfANewerVersion", "InternalError"])
async def test_a_reason_that_is_over_is_replaced_while_the_run_goes_on(reason: str) -> None:
    stage = staged(followed(conditions=[condition("Ready", "False", reason)]))
    stage.kube.edit(correct)
    await stage.look()
    assert stage.reason == "Running"
