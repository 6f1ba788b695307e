"""Timestamps and durations in the formats of Kubernetes. The current time is always an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["duration_text", "micro_timestamp", "parse_timestamp", "timestamp"]


def timestamp(time: datetime) -> str:
    """Return metav1.Time: RFC 3339, UTC, whole seconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(time: datetime) -> str:
    """Return metav1.MicroTime: RFC 3339, UTC, microseconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text)


def duration_text(duration: timedelta) -> str:
    """Return a duration as kubectl prints ages: 42s, 3m10s, 2h5m."""
    seconds = max(0, int(duration.total_seconds()))
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
