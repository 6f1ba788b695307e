"""Runs that were submitted before NVIDIA_EVALUATOR_URL was changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.lifecycle.objects import HELD, finished, followed, stamp
from tests.unit.reconcile.answers import Evaluator, Stage, answer, manifest, remote
from tests.unit.reconcile.objects_api import ObjectsApi

FORMER = {"url": "http://former.test"}


async def test_a_run_whose_finalizer_and_later_its_status_were_removed_is_not_started_elsewhere() -> None:
    document = manifest(meta={"finalizers": [], "generation": 1}, status=followed(evaluator=FORMER))
    stage = Stage(Evaluator(lambda _: False, answer(200)), ObjectsApi(document))
    await stage.look()
    assert stage.kube.manifest is not None
    assert stage.kube.manifest["metadata"]["annotations"]["evaluator.nemo.dev/claimed-for"] == FORMER["url"]

    def lose_status(document: dict[str, Any]) -> None:
        document["status"] = {}

    stage.kube.edit(lose_status)
    await stage.look()
    assert stage.reason == "EvaluatorChanged"
    assert stage.evaluator.posts() == 0


@pytest.mark.parametrize(
    ("jobs", "events"),
    [({}, ["LeftInEvaluator"]), ({"eval-1": remote("completed")}, [])],
    ids=["another evaluator", "another address of the same"],
)
async def test_a_remote_job_that_was_to_be_deleted_but_was_not_found_is_reported(
    jobs: dict[str, Any], events: list[str]
) -> None:
    document = manifest(
        meta=HELD | {"deletionTimestamp": stamp(datetime.now(UTC))},
        status=finished(evaluator=FORMER),
        deletionPolicy="Delete",
    )
    stage = Stage(Evaluator(lambda _: False, answer(200), jobs=jobs), ObjectsApi(document))
    await stage.look()
    assert stage.gone()
    assert (stage.evaluator.jobs, stage.kube.events) == ({}, events)
