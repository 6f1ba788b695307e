"""Leader election by a Lease: one of several operators works, the others stand by.

client-go's algorithm on our own client. `kubernetes.leaderelection` and its asyncio twin (37.0) would not do:
their calls have no time-out, so a leader whose renewal hangs leads on after its lease has run out; a refused
connection, being no ApiException, ends the election and in the twin leaves the work running without a lease;
deadlines follow the wall clock; a crash of the work goes on being renewed; nothing is released at the end.

Each process measures time by its own monotonic clock: a standby from when it saw the last renewal, the
leader from before it sent that. So the leader gives up first, however far apart
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
"""Factor by which pauses may be longer than configured, so that candidates do not contend in lockstep."""

HURRY: Final = 4
"""Factor by which a leader whose renewal failed retries faster: its time is short."""

RELEASE_SECONDS: Final = 2.0
"""Seconds for releasing the lease; one that is not released expires by itself."""


class LeaseLost(Exception):
    """Another process holds the lease, or will soon: this one must stop at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseConfig:
    """The lease, its holder, and its times in seconds: retry < renew_deadline < duration."""

    namespace: str
    name: str
    identity: str
    duration: int
    """Seconds after the last observed renewal when a standby takes over."""
    renew_deadline: float
    """Seconds after its last successful renewal when the leader stops."""
    retry: float
    """Seconds between two attempts to acquire or renew."""


def claim(seen: LeaseSpec | None, terms: LeaseConfig, *, expired: bool, now: datetime) -> LeaseSpec | None:
    """Return the spec to write in order to hold the lease; None while another process holds it."""
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
    """One candidate. `leading` waits for the lease, `renew` keeps it; without the lease no work may run."""

    def __init__(
        self,
        leases: LeaseClient,
        terms: LeaseConfig,
        *,
        on_reached: Callable[[], None] = lambda: None,
        on_held: Callable[[float | None], None] = lambda _: None,
    ) -> None:
        """Create a candidate.

        `on_reached` is called after each successful read or write of the lease. `on_held` is called when the
        lease was acquired or renewed, with the monotonic time at which another process may take over, and
        with None when it was released.
        """
        self._on_reached = on_reached
        self._on_held = on_held
        self._leases = leases
        self._terms = terms
        self._lease: Lease | None = None
        self._seen_at = 0.0
        """Monotonic time at which `_lease` was first observed in its current state."""
        self._held_until = 0.0
        self._outdated = False
        """Another process wrote the lease, or this one did and received no answer."""

    @property
    def held(self) -> bool:
        """Return whether no other process can be leading at this moment."""
        return _now() < self._held_until

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        """Enter the block when the lease is acquired; release the lease at its end, when work is over."""
        terms = self._terms
        logger.info("waiting to acquire lease %s/%s as %s", terms.namespace, terms.name, terms.identity)
        await self._acquire()
        logger.info("acquired lease %s/%s, started leading", terms.namespace, terms.name)
        try:
            yield
        finally:
            await self._release()

    async def renew(self) -> NoReturn:
        """Renew until cancelled. Raises LeaseLost before another process can take over."""
        while True:
            await asyncio.sleep(self._terms.retry)
            try:
                async with asyncio.timeout(self._held_until - _now()):
                    await self._acquire()
            except TimeoutError as error:
                self._held_until = 0.0
                raise LeaseLost(f"not renewed for {self._terms.renew_deadline:.0f} s") from error

    async def refuse_unless_held(self, request: httpx.Request) -> None:
        """Refuse to send a request without the lease, even in a process that was frozen (hook of httpx).

        The caller sees a connection error, since the server was not reached.
        """
        if not self.held:
            raise httpx.ConnectError("not sent: the lease is not held any more", request=request)

    async def _acquire(self) -> None:
        while True:
            if await self._try():
                return
            await asyncio.sleep(self._pause())

    async def _try(self) -> bool:
        """Try once to acquire or renew. Raises LeaseLost where another process has taken over the lease."""
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
        self._on_held(begun + self._terms.duration)
        return True

    async def _look(self) -> None:
        """Read the lease. A record that has changed restarts its term."""
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
        """Return the seconds for which the holder may still rely on the lease, by its own duration."""
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
        """Clear the holder, so that the next candidate need not wait."""
        if not self.held or self._lease is None:
            return
        self._held_until = 0.0
        spec = self._lease.spec.model_copy(update={"holder_identity": None, "lease_duration_seconds": 1})
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._write(spec)
            self._on_held(None)
        except (KubeError, TimeoutError) as error:
            logger.warning("lease not released, it will run out: %s", _said(error))


def _said(error: Exception) -> str:
    return str(error) or "no answer in time"


def _now() -> float:
    """Return the monotonic time, which is the same in each thread."""
    return time.monotonic()
