"""How often a job is asked for, by its age."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nemo_eval_operator.lifecycle.job import poll_seconds, rest_seconds

FAST = 2.0


@pytest.mark.parametrize(
    ("age", "percent", "seconds"),
    [
        (0, None, FAST),
        (60, None, FAST),
        (150, None, 5.0),
        (300, None, 10.0),
        (86_400, None, 10.0),
        (150, 94, 5.0),
        (150, 95, 2.5),
        (100, 99, FAST),
        (86_400, 99, 10.0),
        (-3600, None, FAST),
    ],
)
def test_the_older_a_job_the_rarer_a_look(age: float, percent: int | None, seconds: float) -> None:
    assert poll_seconds(timedelta(seconds=age), percent, fast=FAST) == seconds


@pytest.mark.parametrize("override", [1.0, 600.0])
@pytest.mark.parametrize("age", [0, 86_400])
def test_what_the_object_asks_for_counts_alone(age: float, override: float) -> None:
    assert poll_seconds(timedelta(seconds=age), 99, fast=FAST, override=override) == override


def test_lists_take_a_bounded_share_of_the_time() -> None:
    assert rest_seconds(100) < 0.2
    assert 9 < rest_seconds(10_000) < 11
