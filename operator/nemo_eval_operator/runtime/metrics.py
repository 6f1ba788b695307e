"""Metrics of the operator: what it did, how long that took, and what deletions orphaned in evaluators.

Names of objects are unbounded, so they are not labels of counters: only the last orphans are named.
"""

from __future__ import annotations

import re
import sys
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from time import time
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from nemo_eval_operator.evaluator.model import one_line
from nemo_eval_operator.resources import GateVerdict, Phase

from .score_gauges import ScoreGauges

__all__ = ["Metrics"]

PREFIX: Final = "nemo_eval_operator_"

CALL_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LAG_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
LOOP_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper bounds in seconds."""

PHASES: Final = frozenset({*Phase, "New"})
"""Values of the label `phase`; New is a job without a status."""

OTHER: Final = "other"
"""Value of a label in place of an unexpected one from outside: the number of a label's values is bounded."""

STATUS_CODE: Final = re.compile("[1-5][0-9]{2}")

MAX_REMOTE_CHARACTERS: Final = 256
"""Characters of an orphan's id or name in the evaluator that are shown."""

MAX_NAMED: Final = 50
"""Orphans that are shown by name at a time; events and the log name all of them."""


class _Orphan(NamedTuple):
    kind: Literal["job", "config"]
    namespace: str
    name: str
    remote: str


class Metrics:
    """The operator's metrics; each operator has a registry of its own.

    `object_names`: show what has names of objects in it, which not every reader may list: orphans by name,
    and scores, in at most `score_series` series. `scores` is None where they are not shown.
    """

    def __init__(self, *, object_names: bool = False, score_series: int = 0) -> None:
        self._registry = CollectorRegistry()
        self._orphaned = self._counter(
            "orphaned", "Jobs and configs that stayed in the evaluator when their object was deleted.", "kind"
        )
        for kind in ("job", "config"):
            self._orphaned.labels(kind)
        self._named = _Named()
        if object_names:
            self._registry.register(self._named)
        self.scores = ScoreGauges(score_series) if object_names and score_series else None
        if self.scores is not None:
            self._registry.register(self.scores)
        self._phases = _Phases()
        self._registry.register(self._phases)
        self._add_counters()
        self._add_histograms()
        self._registry.register(
            _OldNames(
                {
                    "left_behind": self._orphaned,
                    "poll_sweeps": self._poll_cycles,
                    "news_lag_seconds": self._propagation,
                }
            )
        )

    def _add_counters(self) -> None:
        self._submissions = self._counter(
            "submissions", "Submissions of jobs (POST requests), by outcome.", "outcome"
        )
        self._adoptions = self._counter(
            "adoptions", "Jobs recovered after a lost response instead of being submitted again."
        )
        self._duplicates = self._counter(
            "duplicates_cancelled", "Second jobs of one attempt that were found and cancelled."
        )
        self._gate_verdicts = self._counter("gate_verdicts", "Verdicts of gates, by verdict.", "verdict")
        for verdict in (GateVerdict.PASSED, GateVerdict.FAILED, GateVerdict.INCONCLUSIVE):
            self._gate_verdicts.labels(verdict)
        self._writes = self._counter("status_writes", "Writes of an object's status.", "kind")
        self._poll_cycles = self._counter(
            "poll_cycles", "Rounds in which a poller reads the jobs that are due."
        )
        self._loop_restarts = self._counter(
            "loop_restarts",
            "Loops that failed and were restarted: those of an evaluator's session (breaker, poller, slots, "
            "recount) and the watch of the Kubernetes API.",
            "loop",
        )
        self._poll_requests = self._counter("poll_requests", "Requests sent in poll cycles.")

    def _add_histograms(self) -> None:
        self._calls = self._histogram(
            "evaluator_request_seconds",
            "Duration of evaluator calls until the whole answer was read, by route and class of status code.",
            CALL_BUCKETS,
            "method",
            "route",
            "code",
        )
        self._submitted = self._histogram(
            "submission_lag_seconds",
            "Time from the creation of a NemoEvalJob to its first submission.",
            LAG_BUCKETS,
        )
        self._propagation = self._histogram(
            "status_propagation_seconds",
            "Time from a poller's observation of a change to the status that shows it.",
            LAG_BUCKETS,
        )
        self._loop_lag = self._histogram(
            "event_loop_lag_seconds",
            "Delay between a timer's due time and the moment the event loop ran it.",
            LOOP_BUCKETS,
        )

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, description, labels, registry=self._registry)

    def _histogram(self, name: str, description: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, description, labels, buckets=buckets, registry=self._registry)

    def show_queue(self, *, depth: Callable[[], float], oldest_wait: Callable[[], float]) -> None:
        """Read these two at each scrape."""
        self._gauge("queue_depth", "Objects that wait for a worker.", depth)
        self._gauge("queue_oldest_wait_seconds", "How long the first of them has waited.", oldest_wait)

    def show_slots(self, *, taken: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Read these two at each scrape."""
        taken_slots = self._gauge(
            "evaluator_slots_taken", "Jobs that run at the evaluator or are being submitted.", taken
        )
        waiting_jobs = self._gauge(
            "evaluator_slots_waiting", "Jobs that wait for a slot (NEMO_MAX_RUNNING_JOBS).", waiting
        )
        old = {"evaluator_places_taken": taken_slots, "evaluator_places_waiting": waiting_jobs}
        self._registry.register(_OldNames(old))

    def _gauge(self, name: str, description: str, read: Callable[[], float]) -> Gauge:
        gauge = Gauge(PREFIX + name, description, registry=self._registry)
        gauge.set_function(read)
        return gauge

    def job_seen(self, uid: str, phase: str | None) -> None:
        """Count a NemoEvalJob that a watch event showed in `phase`; None: it was deleted."""
        self._phases.see(uid, phase if phase is None or phase in PHASES else OTHER)

    def submission(self, outcome: str) -> None:
        self._submissions.labels(outcome).inc()

    def submission_lag(self, seconds: float) -> None:
        self._submitted.observe(max(0.0, seconds))

    def adopted(self) -> None:
        self._adoptions.inc()

    def duplicate_cancelled(self) -> None:
        self._duplicates.inc()

    def gate_judged(self, verdict: str) -> None:
        """Count a verdict of a gate that was written."""
        self._gate_verdicts.labels(verdict).inc()

    def status_written(self, kind: str) -> None:
        self._writes.labels(kind).inc()

    def poll_cycle(self) -> None:
        self._poll_cycles.inc()

    def loop_restarted(self, loop: str) -> None:
        """Count a restart; `loop` is one of a few words, never a name from outside."""
        self._loop_restarts.labels(loop).inc()

    def evaluator_call(self, method: str, route: str, code: str, seconds: float) -> None:
        """Count a call by the class of its status code, such as 2xx.

        `code` "none": no answer, or none that could be read to its end.
        """
        self._calls.labels(method, route, _class_of(code)).observe(seconds)

    def poll_call(self, method: str, route: str, code: str, seconds: float) -> None:
        """Count a call of a poller, as evaluator_call does."""
        self._poll_requests.inc()
        self.evaluator_call(method, route, code, seconds)

    def status_propagated(self, seconds: float) -> None:
        self._propagation.observe(seconds)

    def loop_lag(self, seconds: float) -> None:
        self._loop_lag.observe(max(0.0, seconds))

    def orphaned(self, kind: Literal["job", "config"], *, namespace: str, name: str, remote: str) -> None:
        """Count an object that was released although `remote` may still be in the evaluator.

        `remote` is empty where the id is not known.
        """
        self._orphaned.labels(kind).inc()
        self._named.add(_Orphan(kind, namespace, name, one_line(remote, MAX_REMOTE_CHARACTERS)))

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
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
    """The last orphans by name, each with the time at which it was orphaned."""

    def __init__(self) -> None:
        self._recent: deque[tuple[_Orphan, float]] = deque(maxlen=MAX_NAMED)

    def add(self, left: _Orphan) -> None:
        self._recent.append((left, time()))

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            PREFIX + "orphaned_timestamp_seconds",
            f"When each of the last {MAX_NAMED} was orphaned, by object and id in the evaluator.",
            labels=_Orphan._fields,
        )
        for left, at in dict(self._recent).items():
            family.add_metric(left, at)
        yield family


class _OldNames(Collector):
    """Metrics under the names that they had in 0.1, until the release after the next."""

    def __init__(self, metrics: Mapping[str, Counter | Gauge | Histogram]) -> None:
        self._metrics = metrics

    @override
    def collect(self) -> Iterator[Metric]:
        for old, metric in self._metrics.items():
            for family in metric.collect():
                new = family.name
                family.name, family.documentation = PREFIX + old, f"Deprecated: use {new}."
                family.samples = [
                    sample._replace(name=family.name + sample.name.removeprefix(new))
                    for sample in family.samples
                ]
                yield family
