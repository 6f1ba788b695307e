"""Leader election by a Lease: of several operators one works, the others stand by.

client-go's algorithm on our own client. `kubernetes.leaderelection` and its asyncio twin (37.0) would not do:
their calls have no time-out, so a leader whose renewal hangs leads on after its lease has run out; a refused
connection, being no ApiException, ends the election and in the twin leaves the work running without a lease;
deadlines follow the wall clock; a crash of the work goes on being renewed; nothing is released at the end.

By whose clock? Each process counts from what it saw itself, by its own monotonic clock: a standby from when
it saw the last renewal, the leader from before it sent that. So the leader gives up first, however far apart
the clocks of their nodes are.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

import httpx

from nemo_eval_operator.clock import micro_timestamp
from nemo_eval_operator.kube import KubeError, Lease, LeaseClient, LeaseSpec, ObjectGone, Outdated

__all__ = ["Election", "LeaseConfig", "LeaseLost", "claim"]

logger = logging.getLogger(__name__)

JITTER: Final = 1.2
"""Pauses are up to so many times as long as agreed, so that standbys do not knock together."""

HURRY: Final = 4
"""So many times faster than agreed a leader tries again whose renewal failed: its time is short."""

RELEASE_SECONDS: Final = 2.0
"""A lease that cannot be given back in this time runs out by itself."""


class LeaseLost(Exception):
    """Another process holds the lease, or will soon: this one must stop at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseConfig:
    """Which lease, for whom, and its times in seconds: retry < renew_deadline < duration."""

    namespace: str
    name: str
    identity: str
    duration: int
    """After the last renewal that a standby saw, it takes over."""
    renew_deadline: float
    """After the last renewal that succeeded, the leader gives up."""
    retry: float
    """Between two tries to acquire or renew."""


def claim(seen: LeaseSpec | None, terms: LeaseConfig, *, expired: bool, now: datetime) -> LeaseSpec | None:
    """What to write in order to hold the lease from now on; None while it is another's."""
    time = micro_timestamp(now)
    holder = seen.holder_identity if seen is not None else None
    if seen is not None and holder == terms.identity:
        return seen.model_copy(update={"renew_time": time})
    if holder and not expired:
        return None
    return LeaseSpec(
        holder_identity=terms.identity,
        lease_duration_seconds=terms.duration,
        acquire_time=time,
        renew_time=time,
        lease_transitions=0 if seen is None else (seen.lease_transitions or 0) + 1,
    )


class Election:
    """One candidate. `leading` waits for the lease, `renew` keeps it, and until then nobody may work."""

    def __init__(
        self, leases: LeaseClient, terms: LeaseConfig, *, on_reached: Callable[[], None] = lambda: None
    ) -> None:
        """`on_reached` is called after each look at the lease, and each write of it, that worked."""
        self._on_reached = on_reached
        self._leases = leases
        self._terms = terms
        self._lease: Lease | None = None
        self._seen_at = 0.0
        """When `_lease` was first seen as it is."""
        self._held_until = 0.0
        self._outdated = False
        """Somebody else wrote the lease, or we did and never got the answer."""

    @property
    def held(self) -> bool:
        """Whether no other process can be leading at this moment."""
        return _now() < self._held_until

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        """The block begins when the lease is ours. At its end, when all work is over, it is given back."""
        terms = self._terms
        logger.info("standing by for lease %s/%s as %s", terms.namespace, terms.name, terms.identity)
        await self._acquire()
        logger.info("leading: lease %s/%s is ours", terms.namespace, terms.name)
        try:
            yield
        finally:
            await self._release()

    async def renew(self) -> NoReturn:
        """Renew for ever. Raises LeaseLost before another process can take over."""
        while True:
            await asyncio.sleep(self._terms.retry)
            try:
                async with asyncio.timeout(self._held_until - _now()):
                    await self._acquire()
            except TimeoutError as error:
                self._held_until = 0.0
                raise LeaseLost(f"not renewed for {self._terms.renew_deadline:.0f} s") from error

    async def refuse_unless_held(self, request: httpx.Request) -> None:
        """For an HTTP client: nothing is sent without the lease, not even by a process that was frozen.

        To the caller the server was not reached, which is the truth.
        """
        if not self.held:
            raise httpx.ConnectError("not sent: the lease is not held any more", request=request)

    async def _acquire(self) -> None:
        while True:
            if await self._try():
                return
            await asyncio.sleep(self._pause())

    async def _try(self) -> bool:
        """One try to acquire or renew. Raises LeaseLost where a lease that was ours is another's."""
        try:
            async with asyncio.timeout(self._terms.renew_deadline / 2):
                acquired = await self._claim()
        except Outdated:
            self._outdated = True
            return False
        except (KubeError, TimeoutError) as error:
            logger.warning("lease not %s: %s", "renewed" if self.held else "acquired", _said(error))
            return False
        self._on_reached()
        return acquired

    async def _claim(self) -> bool:
        if not self.held or self._outdated:
            await self._look()
        begun, lease = _now(), self._lease
        spec = claim(
            lease.spec if lease else None, self._terms, expired=self._expires_in() <= 0, now=datetime.now(UTC)
        )
        if spec is None:
            if self.held:
                self._held_until = 0.0
                raise LeaseLost(f"held by {lease.spec.holder_identity if lease else 'another'}")
            return False
        await self._write(spec)
        self._held_until = begun + self._terms.renew_deadline
        return True

    async def _look(self) -> None:
        """See whose it is. A record that has changed starts its term anew."""
        lease = await self._leases.get(self._terms.namespace, self._terms.name)
        if lease != self._lease:
            self._lease, self._seen_at = lease, _now()
        self._outdated = False

    async def _write(self, spec: LeaseSpec) -> None:
        terms = self._terms
        try:
            if self._lease is None:
                self._lease = await self._leases.create(terms.namespace, terms.name, spec)
            else:
                self._lease = await self._leases.update(terms.namespace, terms.name, self._lease, spec)
        except ObjectGone:
            self._lease = None
            raise
        self._seen_at = _now()

    def _expires_in(self) -> float:
        """Seconds for which another may still rely on the lease. Its own word counts, not our settings."""
        if self._lease is None:
            return 0.0
        return self._seen_at + (self._lease.spec.lease_duration_seconds or 0) - _now()

    def _pause(self) -> float:
        if self.held:
            return self._terms.retry / HURRY
        pause = self._terms.retry * random.uniform(1.0, JITTER)  # noqa: S311 - spreads load, guards nothing
        left = self._expires_in()
        return min(pause, left) if left > 0 else pause

    async def _release(self) -> None:
        """Without a holder the next one need not wait."""
        if not self.held or self._lease is None:
            return
        self._held_until = 0.0
        spec = self._lease.spec.model_copy(update={"holder_identity": None, "lease_duration_seconds": 1})
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._write(spec)
        except (KubeError, TimeoutError) as error:
            logger.warning("lease not released, it will run out: %s", _said(error))


def _said(error: Exception) -> str:
    return str(error) or "no answer in time"


def _now() -> float:
    """By the monotonic clock, which is the same in each thread."""
    return time.monotonic()
