"""How a reconciliation ends that has to be repeated: exceptions that the work queue turns into a wait."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_BACKOFF_SECONDS", "RetryLater", "WaitInLane"]

MAX_BACKOFF_SECONDS: Final = 120.0
"""What is mended is noticed within two minutes."""


class RetryLater(Exception):
    """The object cannot be brought further now; look again after a backoff of `seconds` to `at_most`."""

    def __init__(self, seconds: float = 0.0, *, at_most: float = MAX_BACKOFF_SECONDS) -> None:
        self.seconds = seconds
        self.at_most = at_most
        super().__init__(f"retry after at least {seconds} s")


class WaitInLane(Exception):
    """The object goes on with what may be slow when a worker of its lane is free."""

    def __init__(self, lane: str) -> None:
        self.lane = lane
        super().__init__(f"no worker of lane {lane} is free")
