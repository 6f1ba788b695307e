"""Readiness of a standby: /readyz fails when it could not take over at once.

A standby reads the Lease, in the thread that would acquire it, and lists one object of each kind with the
credentials that its watches would use.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from typing import Final, NoReturn

from nemo_eval_operator.kube import KubeClient, KubeError
from nemo_eval_operator.resources import BENCHMARK_PLURAL, CONNECTION_PLURAL, EVALJOB_PLURAL
from nemo_eval_operator.traces import trace_of

__all__ = ["Takeover"]

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 5.0
"""Seconds between two checks of the Kubernetes API, and the time-out of each."""

OUTDATED_SECONDS: Final = 3 * CHECK_SECONDS
"""Seconds after which the last check no longer counts: the loop of checks is stuck."""


class Takeover:
    """Obstacles to taking over. Safe to use from the lease's thread and the main thread."""

    def __init__(self, *, lease_seconds: float) -> None:
        """Create the check; a read of the Lease counts for `lease_seconds`."""
        self._lease_seconds = lease_seconds
        self._lease_at = float("-inf")
        self._checked_at = float("-inf")
        self._failure: str | None = None

    def obstacle(self) -> str | None:
        """Return what is in the way, without names of objects; None where nothing is."""
        now = time.monotonic()
        if now - self._lease_at > self._lease_seconds:
            return "the lease cannot be read or acquired"
        if now - self._checked_at > OUTDATED_SECONDS:
            return "the Kubernetes API has not been checked"
        return self._failure

    def lease_reached(self) -> None:
        """The Lease was read, and nothing but its holder keeps this process from acquiring it."""
        self._lease_at = time.monotonic()

    @asynccontextmanager
    async def checked(self, kube: KubeClient, namespaces: Sequence[str]) -> AsyncIterator[None]:
        """Check the Kubernetes API until the block ends."""
        task = asyncio.create_task(self._keep_checking(kube, namespaces), name="standby")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep_checking(self, kube: KubeClient, namespaces: Sequence[str]) -> NoReturn:
        # One of the namespaces at a time: the cost does not grow with their number.
        for namespace in cycle(namespaces or (None,)):
            failure = await _failure(kube, namespace)
            if failure is not None and self._failure is None:
                logger.warning("could not take over: %s", failure[1])
            elif failure is None and self._failure is not None:
                logger.info("could take over again")
            self._failure = failure and failure[0]
            self._checked_at = time.monotonic()
            await asyncio.sleep(CHECK_SECONDS)
        raise AssertionError("a cycle has no end")


async def _failure(kube: KubeClient, namespace: str | None) -> tuple[str, str] | None:
    """Return why the kinds cannot be listed, in general and in detail; None where they can be."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            for plural in (EVALJOB_PLURAL, BENCHMARK_PLURAL, CONNECTION_PLURAL):
                if not await kube.lists(plural, namespace):
                    return "the custom resources are not served", f"the API server does not serve {plural}"
    except (KubeError, TimeoutError) as error:
        return "the custom resources cannot be listed", str(error) or "no answer in time"
    except Exception as error:  # noqa: BLE001 - logged; without this the checks would end
        problem = f"unexpected exception, please report it: {trace_of(error)}"
        return "the custom resources cannot be listed", problem
    return None
