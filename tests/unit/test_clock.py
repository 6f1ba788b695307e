"""Timestamps and durations in the formats of Kubernetes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from nemo_eval_operator.clock import duration_text, micro_timestamp, parse_timestamp, timestamp

SUMMER_IN_BERLIN = datetime(2026, 7, 1, 14, 30, 5, 1_234, tzinfo=timezone(timedelta(hours=2)))


class TestClock:
    def test_times_are_written_as_kubernetes_does(self) -> None:
        assert timestamp(SUMMER_IN_BERLIN) == "2026-07-01T12:30:05Z"
        assert micro_timestamp(SUMMER_IN_BERLIN) == "2026-07-01T12:30:05.001234Z"

    @pytest.mark.parametrize("text", ["2026-07-01T12:30:05Z", "2026-07-01T14:30:05+02:00"])
    def test_times_are_read_as_kubernetes_writes_them(self, text: str) -> None:
        assert parse_timestamp(text) == datetime(2026, 7, 1, 12, 30, 5, tzinfo=UTC)

    def test_microseconds_survive(self) -> None:
        assert parse_timestamp(micro_timestamp(SUMMER_IN_BERLIN)) == SUMMER_IN_BERLIN

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (-5, "0s"),
            (0, "0s"),
            (0.9, "0s"),
            (42, "42s"),
            (59.99, "59s"),
            (60, "1m0s"),
            (190, "3m10s"),
            (3_599, "59m59s"),
            (3_600, "1h0m"),
            (7_505, "2h5m"),
            (90_000, "25h0m"),
        ],
    )
    def test_durations_are_short(self, seconds: float, text: str) -> None:
        assert duration_text(timedelta(seconds=seconds)) == text
