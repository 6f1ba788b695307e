"""A work queue as controllers know it: each key once, never two workers on one key.

Kopf reports that something happened to an object; when to look at it again is
decided here, since Kopf's own retries write annotations and keep a task per object.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from nemo_eval_operator.kube import KubeError, ObjectKey, Outdated, named
from nemo_eval_operator.runtime.backoff import pause_after
from nemo_eval_operator.runtime.heartbeats import Heartbeat

from .fair_queue import Rank
from .lanes import Lanes
from .object_states import ObjectStates
from .retries import MAX_BACKOFF_SECONDS, RetryLater, WaitInLane
from .shares import FIRST_READS, Shares, is_connection

__all__ = ["Reconcile", "WorkQueue"]

logger = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS: Final = 1.0
LANE_PATIENCE_SECONDS: Final = 0.5
"""That a worker waits for room in a lane: a first look at one evaluator's object delays others' by this."""

QUICK_SECONDS: Final = 2.0
"""For what is being reconciled to end when the operator stops; calls that are answered take less."""

Reconcile = Callable[[ObjectKey], Awaitable[float | None]]
"""Brings one object further; returns in how many seconds to look again, or None. May raise RetryLater."""


class WorkQueue:
    """Keys to reconcile: now (`add`), later, or after a backoff that grows with each failure in a row.

    `shares` says how many keys of a lane, a namespace and in all may be reconciled at a time: evaluators that
    take half a minute for each answer must not hold the workers that the objects of another need.
    """

    def __init__(
        self,
        *,
        lane_of: Callable[[ObjectKey], str] = lambda _: FIRST_READS,
        shares: Shares | None = None,
        states: ObjectStates | None = None,
    ) -> None:
        self.states = states or ObjectStates()
        """What is kept of each object."""
        self._lane_of = lane_of
        self._shares = shares or Shares()
        self._lanes = Lanes(self._shares)
        self._ready = asyncio.Semaphore(0)
        """As many as there are keys that a worker may take, or more."""
        self._queued: dict[ObjectKey, float] = {}
        """Since when, by the monotonic clock; the first has waited longest."""
        self._active: dict[ObjectKey, str] = {}
        """With the lane of each."""
        self._left = asyncio.Event()
        """Set when a key leaves its lane, and then replaced."""
        self._again: set[ObjectKey] = set()
        self._timers: dict[ObjectKey, asyncio.TimerHandle] = {}
        self._closed = False
        self._submitting: set[ObjectKey] = set()
        self._submitted = asyncio.Event()
        self._submitted.set()
        self._idle = asyncio.Event()
        self._idle.set()

    def prioritise(self, key: ObjectKey, priority: int) -> None:
        """Set the priority with which `key` is added from now on; 0, the default, is not stored."""
        if priority != self.states.read(key).priority:
            self.states.of(key).priority = priority
            self.states.tidy(key)

    def add(self, key: ObjectKey, *, urgent: bool = False, lane: str | None = None) -> None:
        """Reconcile `key` as soon as a worker is free; once, however often it is added before that.

        Of one namespace's keys the urgent go first, then those of higher priority, then the older. A key is
        urgent until it was reconciled. `lane`: where the key waits, if it is known to need that evaluator.
        """
        self._drop_timer(key)
        if urgent and not self.states.read(key).urgent:
            self.states.of(key).urgent = True
            if key in self._queued:
                self._lanes.change_rank(key, self._rank(key))
        if key in self._active:
            self._again.add(key)
        elif key not in self._queued:
            self._line_up(key, lane or self._lane_of(key))

    def add_after(self, key: ObjectKey, seconds: float) -> None:
        """Reconcile `key` in `seconds`; a later call replaces an earlier one."""
        self._drop_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    def depth(self) -> int:
        """Keys that wait for a worker."""
        return len(self._queued)

    def oldest_wait(self) -> float:
        """Seconds for which the first of them has waited."""
        first = next(iter(self._queued.values()), None)
        return 0.0 if first is None else time.monotonic() - first

    def holds(self, key: ObjectKey) -> bool:
        """Whether `key` is waiting for a worker, with one, or to be looked at later."""
        return key in self._queued or key in self._active or key in self._timers

    def is_at_work(self, key: ObjectKey) -> bool:
        """Return whether a worker reconciles `key` now."""
        return key in self._active

    def is_idle(self) -> bool:
        """Whether no key is with a worker or waits for one; some may be due later."""
        return not self._queued and not self._active

    async def enter(self, key: ObjectKey, lane: str) -> None:
        """Count `key`, which is at work, in `lane` from now on; to be called before what may be slow.

        Raises WaitInLane where that has no worker left, and none for a moment: to wait for a quick one is
        cheaper than to read the object again. A connection's are not waited for while other namespaces wait.
        """
        if key not in self._active or self._active[key] == lane:
            return
        try:
            async with asyncio.timeout(self._patience(key, lane)):
                while not self._shares.may_call(lane):
                    await self._left.wait()
        except TimeoutError:
            raise WaitInLane(lane) from None
        self._leave(key)
        self._start(key, lane)
        self._wake()

    def _patience(self, key: ObjectKey, lane: str) -> float:
        crowded = self._lanes.has_first_reads_of_others(key.namespace)
        return 0.0 if crowded and is_connection(lane) else LANE_PATIENCE_SECONDS

    async def work(self, reconcile: Reconcile, *, heartbeat: Heartbeat) -> None:
        """Reconcile keys until the queue is closed. Any number of these may run beside each other."""
        while not self._closed:
            heartbeat.rest()
            await self._ready.acquire()
            key = None if self._closed else self._next()
            if key is None:
                continue
            heartbeat.beat()
            self._idle.clear()
            lane = None
            try:
                await self._attend(key, reconcile)
            except WaitInLane as wait:
                lane = wait.lane
            finally:
                self._leave(key)
                self._wake()
                if not self._active:
                    self._idle.set()
                again = key in self._again
                self._again.discard(key)
                if lane is not None:
                    self._line_up(key, lane)
                elif again:
                    self.add(key)
                else:
                    self.states.calm(key)

    @contextmanager
    def uninterrupted(self, key: ObjectKey) -> Iterator[None]:
        """While this is held, `drain` waits for `key`: a submission that is cut off has to be looked for."""
        self._submitting.add(key)
        self._submitted.clear()
        try:
            yield
        finally:
            self._submitting.discard(key)
            if not self._submitting:
                self._submitted.set()

    async def drain(self, seconds: float) -> None:
        """Take up nothing more, and wait until what must not be cut off is done, at most so long.

        Everything else is repeated by the next operator, so it has a moment to end and no longer: a call to
        an evaluator that does not answer would hold up the stop for its whole time-out.
        """
        self._closed = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), min(seconds, QUICK_SECONDS))
        try:
            await asyncio.wait_for(self._submitted.wait(), seconds)
        except TimeoutError:
            logger.warning("not submitted within %.0f s: %s", seconds, named(self._submitting))
        if rest := self._active.keys() - self._submitting:
            logger.info("stopped before they were reconciled: %s", named(rest))

    def _rank(self, key: ObjectKey) -> Rank:
        return (not (state := self.states.read(key)).urgent, -state.priority, "")

    def _line_up(self, key: ObjectKey, lane: str) -> None:
        self._queued[key] = time.monotonic()
        self._lanes.put(key, lane, self._rank(key))
        self._ready.release()

    def _wake(self) -> None:
        """A key has left its lane, which makes room for one more, there or in another."""
        left, self._left = self._left, asyncio.Event()
        left.set()
        self._ready.release()

    def _start(self, key: ObjectKey, lane: str) -> None:
        self._active[key] = lane
        self._shares.take(lane, key.namespace)

    def _leave(self, key: ObjectKey) -> None:
        self._shares.give_back(self._active.pop(key), key.namespace)

    def _next(self) -> ObjectKey | None:
        """The next key, from now on at work; None where those that wait are of lanes that are full."""
        found = self._lanes.pop()
        if found is None:
            return None
        lane, key = found
        del self._queued[key]
        self._start(key, lane)
        return key

    async def _attend(self, key: ObjectKey, reconcile: Reconcile) -> None:
        self._drop_timer(key)
        try:
            rest = await reconcile(key)
        except WaitInLane:
            raise
        except Outdated:
            logger.debug("%s changed meanwhile, reading it again", key)
            self._back_off(key)
        except RetryLater as retry:
            self._back_off(key, at_least=retry.seconds, at_most=retry.at_most)
        except KubeError as error:
            logger.warning("%s: %s", key, error)
            self._back_off(key)
        except Exception:
            # One object's surprise must not stop the others: logged with its trace, and tried again later.
            logger.exception("reconciling %s failed", key)
            self._back_off(key)
        else:
            if self.states.read(key).failures:
                self.states.of(key).failures = 0
            self.states.tidy(key)
            if rest is not None:
                self.add_after(key, rest)

    def _back_off(
        self, key: ObjectKey, *, at_least: float = 0.0, at_most: float = MAX_BACKOFF_SECONDS
    ) -> None:
        state = self.states.of(key)
        state.failures += 1
        pause = pause_after(state.failures, first=FIRST_BACKOFF_SECONDS, longest=at_most)
        self.add_after(key, max(at_least, pause))

    def _drop_timer(self, key: ObjectKey) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
