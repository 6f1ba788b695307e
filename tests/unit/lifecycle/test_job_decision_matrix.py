"""Properties of decisions about a NemoEvalJob that hold for all situations, facts and settings."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.lifecycle.job import Facts, RemoteGone, decide_job
from nemo_eval_operator.lifecycle.steps import RemoveFinalizer, SubmitJob, WriteStatus
from tests.unit.lifecycle.job_steps import MISSING, OUTAGE, after
from tests.unit.lifecycle.objects import (
    HELD,
    NOW,
    ago,
    benchmark,
    evaljob,
    facts,
    finished,
    followed,
    intent,
    lookup,
    remote,
    stamp,
    stored,
)

SITUATIONS: dict[str, dict[str, Any] | None] = {
    "not submitted": None,
    "uncertain": intent(100),
    "followed": followed(),
    "cancelling": followed(phase="Cancelling"),
    "finished": finished(),
}

WORLDS: dict[str, Facts] = {
    "quiet": facts(benchmark=benchmark()),
    "outage": facts(outage=OUTAGE),
    "running": facts(remote=remote()),
    "cancelling": facts(remote=remote("cancelling")),
    "completed": facts(remote=remote("completed")),
    "stored": facts(remote=remote("completed"), stored=stored()),
    "failed": facts(remote=remote("failed")),
    "cancelled": facts(remote=remote("cancelled")),
    "gone": facts(remote=RemoteGone()),
    "found": facts(lookup=lookup(remote())),
    "none found": facts(lookup=lookup()),
    "none found yet": facts(lookup=lookup(begun=ago(99))),
    "benchmark missing": facts(benchmark=MISSING),
}

STEERED: list[dict[str, Any]] = [
    {},
    {"cancel": True},
    {"suspend": True},
    {"activeDeadlineSeconds": 1},
    {"ttlSecondsAfterFinished": 0},
    {"deletionPolicy": "Delete"},
    {"deletionPolicy": "Orphan"},
]


@pytest.mark.parametrize("scenario", WORLDS)
@pytest.mark.parametrize("situation", SITUATIONS)
class TestEverywhere:
    """What holds in every situation, whatever the world says."""

    @pytest.mark.parametrize("spec", STEERED)
    @pytest.mark.parametrize("deleted", [False, True])
    def test_a_status_once_written_is_not_written_again(
        self, situation: str, scenario: str, spec: dict[str, Any], deleted: bool
    ) -> None:
        meta = HELD | ({"deletionTimestamp": stamp(NOW)} if deleted else {})
        job = evaljob(meta=meta, status=SITUATIONS[situation], **spec)
        for _ in range(3):
            step = decide_job(job, WORLDS[scenario])
            if not isinstance(step, WriteStatus):
                return
            assert step.status != job.status
            job = after(job, step)
        pytest.fail(f"still writing: {job.status}")

    @pytest.mark.parametrize("spec", STEERED)
    def test_a_job_is_only_submitted_where_none_can_exist(
        self, situation: str, scenario: str, spec: dict[str, Any]
    ) -> None:
        step = decide_job(evaljob(meta=HELD, status=SITUATIONS[situation], **spec), WORLDS[scenario])
        if isinstance(step, SubmitJob):
            assert situation == "not submitted" or (situation, scenario) == ("uncertain", "none found")
            assert not ({"cancel", "suspend"} & spec.keys())

    def test_a_submitted_job_never_loses_its_finalizer_before_it_ends(
        self, situation: str, scenario: str
    ) -> None:
        job = evaljob(meta=HELD, status=SITUATIONS[situation])
        if isinstance(decide_job(job, WORLDS[scenario]), RemoveFinalizer):
            assert situation == "finished"
            assert FINALIZER in job.metadata.finalizers
