"""What Prometheus may ask about: how much is done, how long it takes, what a deletion had to leave behind.

Names are unbounded, so they are no labels of a counter: only the last few are shown beside it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Iterator
from time import time
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from nemo_eval_operator.evaluator.model import one_line
from nemo_eval_operator.resources import Phase

__all__ = ["Metrics"]

PREFIX: Final = "nemo_eval_operator_"

CALL_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LAG_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
LOOP_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper bounds in seconds."""

PHASES: Final = frozenset({*Phase, "New"})
"""Values of the label `phase`. New: no status was written yet."""

OTHER: Final = "other"
"""Value of a label in place of an unexpected one from outside: the number of a label's values is bounded."""

STATUS_CODE: Final = re.compile("[1-5][0-9]{2}")

MAX_REMOTE_CHARACTERS: Final = 256
"""Shown of the name that something has in the evaluator."""

MAX_NAMED: Final = 50
"""Left-behind things that are named at a time; the events and the log name all of them."""


class _LeftBehind(NamedTuple):
    kind: Literal["job", "config"]
    namespace: str
    name: str
    remote: str


class Metrics:
    """The operator's metrics; each operator has a registry of its own.

    `object_names`: show what deletions left behind by the names of objects, which not everybody may list.
    """

    def __init__(self, *, object_names: bool = False) -> None:
        self._registry = CollectorRegistry()
        self._left_behind = Counter(
            "nemo_eval_operator_left_behind",
            "Jobs and configs that stayed in the evaluator when their object was deleted.",
            ["kind"],
            registry=self._registry,
        )
        for kind in ("job", "config"):
            self._left_behind.labels(kind)
        self._named = _Named()
        if object_names:
            self._registry.register(self._named)
        self._phases = _Phases()
        self._registry.register(self._phases)
        self._submissions = self._counter("submissions", "POSTs of a job, by what came of them.", "outcome")
        self._adoptions = self._counter(
            "adoptions", "Jobs found in the evaluator where another POST would have made a second one."
        )
        self._duplicates = self._counter(
            "duplicates_cancelled", "Second jobs of one attempt that were found and cancelled."
        )
        self._writes = self._counter("status_writes", "Statuses that were written.", "kind")
        self._sweeps = self._counter("poll_sweeps", "Rounds in which the poller asked about due jobs.")
        self._loop_restarts = self._counter(
            "loop_restarts",
            "Loops that failed and were started again: gate, poller, admission and census of an evaluator, "
            "watch of the Kubernetes API.",
            "loop",
        )
        self._poll_requests = self._counter("poll_requests", "Requests of those rounds.")
        self._calls = self._histogram(
            "evaluator_request_seconds",
            "Evaluator calls until the whole answer, by route and class of the status code.",
            CALL_BUCKETS,
            "method",
            "route",
            "code",
        )
        self._submitted = self._histogram(
            "submission_lag_seconds", "From an object's creation to its first submission.", LAG_BUCKETS
        )
        self._told = self._histogram(
            "news_lag_seconds", "From what the poller saw of a job to the status that tells it.", LAG_BUCKETS
        )
        self._loop_lag = self._histogram(
            "event_loop_lag_seconds", "How much too late the event loop woke a sleeper.", LOOP_BUCKETS
        )

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, told, labels, registry=self._registry)

    def _histogram(self, name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, told, labels, buckets=buckets, registry=self._registry)

    def show_queue(self, *, depth: Callable[[], float], oldest_wait: Callable[[], float]) -> None:
        """Ask these two whenever Prometheus asks."""
        for name, told, ask in (
            ("queue_depth", "Objects that wait for a worker.", depth),
            ("queue_oldest_wait_seconds", "How long the first of them has waited.", oldest_wait),
        ):
            Gauge(PREFIX + name, told, registry=self._registry).set_function(ask)

    def show_places(self, *, taken: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Ask these two whenever Prometheus asks."""
        for name, told, ask in (
            ("evaluator_places_taken", "Jobs that run at the evaluator or are being submitted.", taken),
            (
                "evaluator_places_waiting",
                "Jobs that wait for another to end (NEMO_MAX_RUNNING_JOBS).",
                waiting,
            ),
        ):
            Gauge(PREFIX + name, told, registry=self._registry).set_function(ask)

    def job_seen(self, uid: str, phase: str | None) -> None:
        """A watch event showed a NemoEvalJob in `phase`; None: it is gone."""
        self._phases.see(uid, phase if phase is None or phase in PHASES else OTHER)

    def submission(self, outcome: str) -> None:
        self._submissions.labels(outcome).inc()

    def submission_lag(self, seconds: float) -> None:
        self._submitted.observe(max(0.0, seconds))

    def adopted(self) -> None:
        self._adoptions.inc()

    def duplicate_cancelled(self) -> None:
        self._duplicates.inc()

    def status_written(self, kind: str) -> None:
        self._writes.labels(kind).inc()

    def sweep(self) -> None:
        self._sweeps.inc()

    def loop_restarted(self, loop: str) -> None:
        """`loop` is one of a few words, never a name from outside."""
        self._loop_restarts.labels(loop).inc()

    def evaluator_call(self, method: str, route: str, code: str, seconds: float) -> None:
        """Count a call by the class of its status code, such as 2xx.

        `code` "none": no answer, or none that could be read to its end.
        """
        self._calls.labels(method, route, _class_of(code)).observe(seconds)

    def poll_call(self, method: str, route: str, code: str, seconds: float) -> None:
        """As evaluator_call, for a call of the poller."""
        self._poll_requests.inc()
        self.evaluator_call(method, route, code, seconds)

    def news_lag(self, seconds: float) -> None:
        self._told.observe(seconds)

    def loop_lag(self, seconds: float) -> None:
        self._loop_lag.observe(max(0.0, seconds))

    def left_behind(self, kind: Literal["job", "config"], *, namespace: str, name: str, remote: str) -> None:
        """An object was let go although `remote` may still be in the evaluator; empty where unknown."""
        self._left_behind.labels(kind).inc()
        self._named.add(_LeftBehind(kind, namespace, name, one_line(remote, MAX_REMOTE_CHARACTERS)))

    def exposition(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)


def _class_of(code: str) -> str:
    """Return the class of a status code: servers may answer any number, and each would be a series."""
    if code == "none":
        return code
    return f"{code[0]}xx" if STATUS_CODE.fullmatch(code) else OTHER


class _Phases(Collector):
    """NemoEvalJobs by phase, as the watch showed them last."""

    def __init__(self) -> None:
        self._by_uid: dict[str, str] = {}
        self._tally = Tally[str]()

    def see(self, uid: str, phase: str | None) -> None:
        if (before := self._by_uid.pop(uid, None)) is not None:
            self._tally[before] -= 1
        if phase is not None:
            self._by_uid[uid] = sys.intern(str(phase))
            self._tally[phase] += 1

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(PREFIX + "jobs", "NemoEvalJobs by status.phase.", labels=["phase"])
        for phase, count in sorted(self._tally.items()):
            family.add_metric([phase], count)
        yield family


class _Named(Collector):
    """The last few by name, each with the time at which it was left."""

    def __init__(self) -> None:
        self._recent: deque[tuple[_LeftBehind, float]] = deque(maxlen=MAX_NAMED)

    def add(self, left: _LeftBehind) -> None:
        self._recent.append((left, time()))

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "nemo_eval_operator_left_behind_timestamp_seconds",
            f"When each of the last {MAX_NAMED} was left, by the object's name and the id in the evaluator.",
            labels=_LeftBehind._fields,
        )
        for left, at in dict(self._recent).items():
            family.add_metric(left, at)
        yield family
