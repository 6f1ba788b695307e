"""Snapshots of remote jobs, from an answer and from a status."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle.job import JobSnapshot, snapshot_in_status, snapshot_of
from tests.unit.lifecycle.objects import evaljob, followed, remote, working


class TestSnapshots:
    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("created", "queued"),
            ("pending", "queued"),
            ("running", "active"),
            ("unknown", "unclear"),
            ("ready", "unclear"),
            ("error", "unclear"),
            ("cancelling", "cancelling"),
            ("cancelled", "cancelled"),
            ("failed", "failed"),
            ("completed", "completed"),
        ],
    )
    @pytest.mark.parametrize(("progress", "percent"), [(None, None), (41.9, 41), (-1.0, 0), (100.5, 100)])
    def test_a_snapshot_has_only_what_a_status_shows(
        self, word: str, state: str, progress: float | None, percent: int | None
    ) -> None:
        assert snapshot_of(remote(word, status_details={"progress": progress}).state) == JobSnapshot(
            state, percent
        )

    @pytest.mark.parametrize(
        ("status", "snapshot"),
        [
            (followed(), JobSnapshot("active", None)),
            (followed(progress={"percent": 40}), JobSnapshot("active", 40)),
            (followed(phase="Cancelling"), JobSnapshot("cancelling", None)),
            (followed(conditions=working("QueuedInEvaluator")), JobSnapshot("queued", None)),
            (followed(conditions=working("RemoteStatusUnknown")), JobSnapshot("unclear", None)),
            (followed(conditions=working("EvaluatorUnreachable")), JobSnapshot("out of sight", None)),
            (followed(conditions=working("InvalidSpec")), JobSnapshot("out of sight", None)),
            (followed(conditions=working("ObjectTooLarge")), JobSnapshot("out of sight", None)),
            (followed(conditions=working("InternalError")), JobSnapshot("out of sight", None)),
            (followed(conditions=working("OfANewerVersion")), JobSnapshot("out of sight", None)),
            (
                followed(conditions=working("ResultsUnavailable"), progress={"percent": 99}),
                JobSnapshot("completed", 99),
            ),
            (followed(conditions=working("ResultsNotKept")), JobSnapshot("completed", None)),
        ],
    )
    def test_a_snapshot_is_restored_from_a_status(
        self, status: dict[str, Any], snapshot: JobSnapshot
    ) -> None:
        assert snapshot_in_status(evaljob(status=status).status) == snapshot

    @pytest.mark.parametrize(
        ("seen", "known", "news"),
        [
            (JobSnapshot("active", None), JobSnapshot("active", None), False),
            (JobSnapshot("active", 40), JobSnapshot("active", 40), False),
            (JobSnapshot("active", 41), JobSnapshot("active", 40), True),
            (JobSnapshot("active", 40), JobSnapshot("active", None), True),
            (JobSnapshot("active", None), JobSnapshot("active", 40), False),
            (JobSnapshot("completed", None), JobSnapshot("active", 40), True),
            (JobSnapshot("active", 41), JobSnapshot("cancelling", 40), False),
            (JobSnapshot("queued", None), JobSnapshot("cancelling", None), False),
            (JobSnapshot("unclear", None), JobSnapshot("cancelling", None), False),
            (JobSnapshot("unclear", None), JobSnapshot("active", None), True),
            (JobSnapshot("active", None), JobSnapshot("unclear", None), True),
            (JobSnapshot("active", None), JobSnapshot("queued", None), True),
            (JobSnapshot("active", None), JobSnapshot("out of sight", None), True),
        ],
    )
    def test_only_a_change_is_news_and_no_number_is_none(
        self, seen: JobSnapshot, known: JobSnapshot, news: bool
    ) -> None:
        assert seen.tells_more_than(known) is news
