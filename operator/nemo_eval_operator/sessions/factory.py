"""Opens evaluators: for each its clients, gate and poller, which end when it is not needed any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx

from nemo_eval_operator import __version__
from nemo_eval_operator.evaluator.http import Access, EvaluatorClient, ReplaceableTransport
from nemo_eval_operator.evaluator.model import KnownSecrets
from nemo_eval_operator.kube import KubeClient
from nemo_eval_operator.lifecycle.connection import connection_name
from nemo_eval_operator.resources import EvaluatorUsed, NemoEvaluatorConnection
from nemo_eval_operator.runtime.heartbeats import Heartbeat, Heartbeats
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.settings import Settings
from nemo_eval_operator.workqueue import OWN_LANE, WorkQueue

from .bulkhead import Bulkhead
from .circuit_breaker import CircuitBreaker
from .job_lists import JobLists
from .poller import Poller
from .recount import SlotRecount
from .recount_turns import RecountTurns
from .session import CONNECTIONS, ConnectionSettings, Evaluator, Opened, connection_key
from .shared_slots import SharedSlots
from .slot_pool import SlotPool
from .slot_watch import SlotWatch
from .tracker import JobTracker

__all__ = ["HEADERS", "EvaluatorFactory"]

HEADERS: Final = {"Accept": "application/json", "User-Agent": f"nemo-eval-operator/{__version__}"}

CALL_MARGIN_SECONDS: Final = 10.0
"""Seconds beyond the time-out of a call to the evaluator before a loop that made it counts as stuck."""

ROUND_SECONDS: Final = 10.0
"""Seconds before a loop that makes no calls counts as stuck."""

OBJECTS_PAGE_SECONDS: Final = 90.0
"""Beyond the time-out of one page of a list of objects, which the census reads too."""

SETTLED: Final = 0.9
"""Of NEMO_SETTLE_SECONDS: a call that may still act in the evaluator has to be given up before that."""

LOOPS: Final = ("breaker", "poller", "slots", "recount")

Loop = Coroutine[Any, Any, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorFactory:
    """What all evaluators share. `guards` are asked before each request; `start` runs a loop."""

    settings: Settings
    kube: KubeClient
    queue: WorkQueue
    slots: SharedSlots
    lists: JobLists
    heartbeats: Heartbeats
    metrics: Metrics
    guards: Sequence[Callable[[httpx.Request], Awaitable[None]]]
    start: Callable[[Loop, str], asyncio.Task[None]]
    turns: RecountTurns = field(default_factory=RecountTurns)

    def own(self, http: httpx.AsyncClient) -> tuple[Evaluator, list[asyncio.Task[None]]]:
        """The operator's NVIDIA_EVALUATOR_URL, which `http` leads to, and the loops that go with it."""
        url = str(http.base_url.copy_with(userinfo=b"")).rstrip("/")
        deadline = self.settings.request_timeout_seconds
        interval = self.settings.poll_interval_seconds
        return self._open(http, EvaluatorUsed(url=url), deadline=deadline, interval=interval)

    def watch_slots(self, own: Evaluator, evaluators: Iterable[Evaluator]) -> list[asyncio.Task[None]]:
        """The loop that frees slots of the operator's own evaluator, where their number is limited."""
        if own.slot_pool.shared is None:
            return []
        limit = self.settings.request_timeout_seconds + OBJECTS_PAGE_SECONDS
        heartbeat = self.heartbeats.add("slots", limit=limit)
        watch = SlotWatch(
            own,
            evaluators,
            slots=self.slots,
            cluster=self.settings.cluster_name,
            settle=self.settings.settle_seconds,
            heartbeat=heartbeat,
        )
        return [self.start(own.bulkhead.run("slots", watch.run, heartbeat), "slots")]

    def connection(
        self, connection: NemoEvaluatorConnection, terms: ConnectionSettings, access: Access
    ) -> Opened:
        """Raises UnusableCertificate, UnusableUrl."""
        name = connection_name(connection)
        longest = self.settings.settle_seconds * SETTLED
        deadline = min(terms.request_seconds or self.settings.request_timeout_seconds, longest)
        current = access.transport(terms.url, max_connections=CONNECTIONS)
        transport = ReplaceableTransport(current, longest_call=deadline)
        http = httpx.AsyncClient(
            base_url=terms.url,
            transport=transport,
            headers=HEADERS,
            timeout=httpx.Timeout(deadline, connect=terms.connect_seconds, pool=terms.connect_seconds),
            follow_redirects=False,
            trust_env=False,
            event_hooks={"request": [*self.guards]},
        )
        interval = terms.poll_interval_seconds or self.settings.poll_interval_seconds
        used = EvaluatorUsed(url=terms.url, connection=name)
        evaluator, loops = self._open(http, used, deadline=deadline, interval=interval, connection=connection)

        def close() -> None:
            for loop in loops:
                loop.cancel()
            for kind in LOOPS:
                self.heartbeats.remove(f"{kind} {name}")

        return Opened(evaluator=evaluator, transport=transport, close=close)

    def _open(
        self,
        http: httpx.AsyncClient,
        used: EvaluatorUsed,
        *,
        deadline: float,
        interval: float,
        connection: NemoEvaluatorConnection | None = None,
    ) -> tuple[Evaluator, list[asyncio.Task[None]]]:
        # Of a connection nothing secret is in its URL; its Secrets are added when they are read.
        known = KnownSecrets(filter(None, (http.base_url.password,)))
        client, asked_by_poller = (
            EvaluatorClient(http, deadline=deadline, known=known, on_call=on_call)
            for on_call in (self.metrics.evaluator_call, self.metrics.poll_call)
        )
        tracker = JobTracker(on_told=self.metrics.status_propagated)
        limit = connection.spec.max_running_jobs if connection else None
        shared = self.slots.of(used.url, own_limit=limit)
        slot_pool = SlotPool(self.queue, limit=limit, shared=shared)
        beats = self._heartbeats(used, deadline=deadline)
        look_at = self._look_at(used)
        breaker = CircuitBreaker(client, self.queue, tracker, beats["breaker"], on_change=look_at)
        bulkhead = Bulkhead(
            used.connection or used.url, on_failure=self.metrics.loop_restarted, on_change=look_at
        )
        evaluator = Evaluator(
            used=used,
            client=client,
            breaker=breaker,
            tracker=tracker,
            slot_pool=slot_pool,
            bulkhead=bulkhead,
        )
        poller = Poller(
            evaluator=asked_by_poller,
            tracker=tracker,
            queue=self.queue,
            breaker=breaker,
            interval=interval,
            heartbeat=beats["poller"],
            metrics=self.metrics,
            # Of objects of connections the queue knows the lane.
            lane=OWN_LANE if connection is None else None,
        )
        recount = self._recount(evaluator, connection, beats["recount"])
        return evaluator, self._start_loops(evaluator, poller, recount, beats)

    def _heartbeats(self, used: EvaluatorUsed, *, deadline: float) -> dict[str, Heartbeat]:
        """Add a heartbeat for each loop of the evaluator; returned by the loop's name."""
        # No loop makes two calls without a heartbeat between them.
        calls = deadline + CALL_MARGIN_SECONDS
        limits = zip(LOOPS, (calls, calls, ROUND_SECONDS, max(calls, OBJECTS_PAGE_SECONDS)), strict=True)
        return {name: self.heartbeats.add(f"{name}{_suffix(used)}", limit=limit) for name, limit in limits}

    def _start_loops(
        self, evaluator: Evaluator, poller: Poller, recount: SlotRecount, beats: Mapping[str, Heartbeat]
    ) -> list[asyncio.Task[None]]:
        loops: dict[str, Callable[[], Loop]] = {
            "breaker": evaluator.breaker.run,
            "poller": poller.run,
            "slots": partial(evaluator.slot_pool.run, beats["slots"]),
            "recount": recount.run,
        }
        return [
            self.start(evaluator.bulkhead.run(name, loop, beats[name]), f"{name}{_suffix(evaluator.used)}")
            for name, loop in loops.items()
        ]

    def _recount(
        self, evaluator: Evaluator, connection: NemoEvaluatorConnection | None, heartbeat: Heartbeat
    ) -> SlotRecount:
        return SlotRecount(
            kube=self.kube,
            lists=self.lists,
            evaluator=evaluator,
            slots=self.slots,
            turns=self.turns,
            connection=connection.metadata if connection else None,
            namespaces=self.settings.namespaces,
            cluster=self.settings.cluster_name,
            settle=self.settings.settle_seconds,
            heartbeat=heartbeat,
        )

    def _look_at(self, used: EvaluatorUsed) -> Callable[[], None]:
        """Have the connection say whether the evaluator can be reached, when that changes."""
        if used.connection is None:
            return lambda: None
        key = connection_key(used.connection)
        return lambda: self.queue.add(key)


def _suffix(used: EvaluatorUsed) -> str:
    """Return what distinguishes the names of this evaluator's loops; the operator's own have none."""
    return f" {used.connection}" if used.connection else ""
