"""Ownership marks in Kubernetes and in the evaluator."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle.job import pick_marked
from nemo_eval_operator.lifecycle.ownership import is_owned_by, mark_of_attempt, mark_of_object
from tests.unit.lifecycle.objects import UID, evaljob, remote


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "1.0", "", "one", 1, None])
def test_a_mark_of_no_attempt_is_none(number: Any) -> None:
    marked = remote(custom_fields={"k8s-uid": UID, "k8s-attempt": number})

    assert pick_marked([marked], evaljob().metadata, None) == []


class TestMarks:
    meta = evaljob().metadata

    def test_values_are_strings_since_older_servers_take_nothing_else(self) -> None:
        assert mark_of_attempt(self.meta, attempt=2, nonce="n-1") == {
            "k8s-uid": UID,
            "k8s-namespace": "team-a",
            "k8s-name": "qa-llama",
            "k8s-attempt": "2",
            "k8s-nonce": "n-1",
        }

    @pytest.mark.parametrize(
        ("fields", "ours"),
        [
            (mark_of_attempt(meta, attempt=2, nonce="n-1"), True),
            (mark_of_attempt(meta, attempt=2, nonce="of a status that was restored"), True),
            ({"k8s-uid": UID, "k8s-attempt": "2", "team": "search"}, True),
            (mark_of_attempt(meta, attempt=1, nonce="n-1"), False),
            (mark_of_object(meta), False),
            ({"k8s-uid": UID, "k8s-attempt": 2}, False),
            ({"k8s-uid": "another", "k8s-attempt": "2"}, False),
            ({"k8s-name": "qa-llama", "k8s-namespace": "team-a", "k8s-attempt": "2"}, False),
            ({}, False),
        ],
    )
    def test_a_job_is_known_by_uid_and_attempt(self, fields: dict[str, Any], ours: bool) -> None:
        job = remote(custom_fields=fields)
        assert pick_marked([job], self.meta, 2) == ([job] if ours else [])

    def test_of_several_the_oldest_comes_first_and_an_undated_one_last(self) -> None:
        times = {"eval-c": "2026-03-01T12:00:00", "eval-b": "2026-03-01T12:00:00", "eval-a": None}
        fields = mark_of_attempt(self.meta, attempt=1, nonce="n-1")
        jobs = [remote(job_id=name, created_at=time, custom_fields=fields) for name, time in times.items()]
        assert [job.id for job in pick_marked(jobs, self.meta, 1)] == ["eval-b", "eval-c", "eval-a"]

    def test_where_status_was_lost_the_latest_attempt_comes_first(self) -> None:
        jobs = [
            remote(
                job_id=f"eval-{number}",
                created_at=f"2026-03-01T12:00:0{number}",
                custom_fields=mark_of_attempt(self.meta, attempt=number, nonce="n"),
            )
            for number in (1, 3, 2)
        ]
        assert [job.id for job in pick_marked(jobs, self.meta, None)] == ["eval-3", "eval-2", "eval-1"]

    def test_a_config_is_known_by_uid(self) -> None:
        assert is_owned_by(mark_of_object(self.meta), self.meta)
        assert not is_owned_by({"k8s-uid": "another"}, self.meta)
        assert not is_owned_by({}, self.meta)
