"""A clock that cannot be set, for durations inside this process."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["steady_now"]

_STARTED: Final = datetime.now(UTC)
_STARTED_MONOTONIC: Final = time.monotonic()


def steady_now() -> datetime:
    """Return the time by the clock of the system when this process started, and the seconds since then.

    Setting the clock of the system changes nothing; and while the machine is suspended, no time passes. To be
    compared with other times of this function only.
    """
    return _STARTED + timedelta(seconds=time.monotonic() - _STARTED_MONOTONIC)
