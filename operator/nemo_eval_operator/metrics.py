"""What Prometheus may ask about: counts, and the names of what a deletion had to leave in the evaluator.

Names are unbounded, so they are no labels of a counter: only the last few are shown beside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from time import time
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

__all__ = ["Metrics"]

MAX_NAMED: Final = 50
"""Left-behind things that are named at a time; the events and the log name all of them."""


class _LeftBehind(NamedTuple):
    kind: Literal["job", "config"]
    namespace: str
    name: str
    remote: str


class Metrics:
    """The operator's metrics; each operator has a registry of its own."""

    def __init__(self) -> None:
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
        self._registry.register(self._named)

    def left_behind(self, kind: Literal["job", "config"], *, namespace: str, name: str, remote: str) -> None:
        """An object was let go although `remote` may still be in the evaluator; empty where unknown."""
        self._left_behind.labels(kind).inc()
        self._named.add(_LeftBehind(kind, namespace, name, remote))

    def exposition(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)


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
