"""A work queue as controllers know it: each key once, never two workers on one key.

Kopf tells us that something happened to an object; when to look at it again is
decided here, since Kopf's own retries write annotations and keep a task per object.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from nemo_eval_operator.kube import KubeError, ObjectKey, Outdated

__all__ = ["Reconcile", "RetryLater", "WorkQueue"]

logger = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS: Final = 1.0
MAX_BACKOFF_SECONDS: Final = 120.0
"""What is mended is noticed within two minutes."""

Reconcile = Callable[[ObjectKey], Awaitable[float | None]]
"""Brings one object further; returns in how many seconds to look again, or None. May raise RetryLater."""


class RetryLater(Exception):
    """The object cannot be brought further now; look again after a backoff of `seconds` to `at_most`."""

    def __init__(self, seconds: float = 0.0, *, at_most: float = MAX_BACKOFF_SECONDS) -> None:
        self.seconds = seconds
        self.at_most = at_most
        super().__init__(f"retry after at least {seconds} s")


class WorkQueue:
    """Keys to reconcile: now (`add`), later, or after a backoff that grows with each failure in a row."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[ObjectKey] = asyncio.Queue()
        self._queued: set[ObjectKey] = set()
        self._active: set[ObjectKey] = set()
        self._again: set[ObjectKey] = set()
        self._timers: dict[ObjectKey, asyncio.TimerHandle] = {}
        self._failures: dict[ObjectKey, int] = {}
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, key: ObjectKey) -> None:
        """Reconcile `key` as soon as a worker is free; once, however often it is added before that."""
        self._drop_timer(key)
        if key in self._active:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: ObjectKey, seconds: float) -> None:
        """Reconcile `key` in `seconds`; a later call replaces an earlier one."""
        self._drop_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    async def work(self, reconcile: Reconcile) -> None:
        """Reconcile keys until the queue is closed. Any number of these may run beside each other."""
        while not self._closed:
            key = await self._ready.get()
            if self._closed:
                return
            self._queued.discard(key)
            self._active.add(key)
            self._idle.clear()
            try:
                await self._attend(key, reconcile)
            finally:
                self._active.discard(key)
                if not self._active:
                    self._idle.set()
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    async def drain(self, seconds: float) -> None:
        """Take up nothing more, and wait until what is being reconciled is done, at most so long.

        A submission that is cut off has to be looked for later; one that ends is simply known.
        """
        self._closed = True
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            logger.warning("not finished within %.0f s: %s", seconds, ", ".join(map(str, self._active)))

    async def _attend(self, key: ObjectKey, reconcile: Reconcile) -> None:
        self._drop_timer(key)
        try:
            rest = await reconcile(key)
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
            self._failures.pop(key, None)
            if rest is not None:
                self.add_after(key, rest)

    def _back_off(
        self, key: ObjectKey, *, at_least: float = 0.0, at_most: float = MAX_BACKOFF_SECONDS
    ) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        ceiling = min(at_most, FIRST_BACKOFF_SECONDS * 2 ** min(failures, 10))
        jittered = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        self.add_after(key, max(at_least, jittered))

    def _drop_timer(self, key: ObjectKey) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
