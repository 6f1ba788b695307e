"""Kills the operator at a named step, as the proxies see that step go by."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

from testbed.chaos.steps import Step, Steps
from testbed.faults import Exchange, Moment

__all__ = ["MOMENT_NAMES", "Coverage", "Spot", "Trap"]

Spot = tuple[Step, Moment]
Coverage = Counter[Spot]

MOMENT_NAMES: Final = {
    Moment.ARRIVED: "before it arrives",
    Moment.ANSWERED: "before its answer",
    Moment.FORWARDED: "after its answer",
}


class Trap:
    """Both proxies' observer: at the armed spot it calls `kill`, and breaks the connection."""

    def __init__(self, kill: Callable[[], None]) -> None:
        self._kill = kill
        self._steps = Steps()
        self._armed: Spot | None = None
        self._lock = threading.Lock()
        self.struck = threading.Event()
        self.coverage: Coverage = Counter()

    def arm(self, spot: Spot | None) -> None:
        with self._lock:
            self._armed = spot
            self.struck.clear()

    def observe(self, exchange: Exchange, moment: Moment) -> bool:
        with self._lock:
            step = self._steps.of(exchange)
            if self._armed is None or (step, moment) != self._armed:
                return False
            self.coverage[self._armed] += 1
            self._armed = None
            self._kill()
            self.struck.set()
            return True
