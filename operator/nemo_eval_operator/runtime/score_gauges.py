"""Gauges of scores and gate verdicts: for each benchmark and model, those of the latest completed run.

They follow from the objects in the cluster alone, as lists and reconciliations show them: a restart changes
nothing, and after a deletion the run before the deleted one is shown, or none. Label values come from tenants
and evaluators, so their length and the number of series are bounded, the latter with a share for each
namespace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from nemo_eval_operator.clock import parse_timestamp
from nemo_eval_operator.evaluator.model import one_line
from nemo_eval_operator.kube import ObjectKey, key_of
from nemo_eval_operator.resources import GateVerdict, NemoEvalJob, Phase, Score

__all__ = ["MAX_LABEL_CHARACTERS", "ScoreGauges", "fair_shares"]

MAX_LABEL_CHARACTERS: Final = 128
"""Length of a label's value; a longer one ends in a digest, so that two of them stay different."""

DIGEST_CHARACTERS: Final = 8

MAX_NAMES_CHARACTERS: Final = 4096
"""Characters of the names of all scores of one run that are kept in memory; later scores are left out."""

RUN_LABELS: Final = ("namespace", "benchmark", "model")
SCORE_LABELS: Final = (*RUN_LABELS, "task", "metric", "score")
GATE_LABELS: Final = (*RUN_LABELS, "verdict")

JUDGED: Final = frozenset({GateVerdict.PASSED, GateVerdict.FAILED, GateVerdict.INCONCLUSIVE})

_Names = tuple[tuple[str, str, str], ...]
"""Task (or group), metric and score of each value of a run."""


class _Run(NamedTuple):
    """What is kept of a completed run; fields are in the order by which runs are compared."""

    completed: datetime
    created: datetime
    name: str
    names: _Names
    values: tuple[float, ...]
    left_out: int
    verdict: GateVerdict | None

    @property
    def series(self) -> int:
        return len(self.values) + (self.verdict is not None)


_Pair = tuple[str, str]
"""Benchmark and model, as label values."""


class ScoreGauges(Collector):
    """The gauges of at most `limit` runs' scores and verdicts, counted in series."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pair_of: dict[ObjectKey, _Pair] = {}
        self._runs: dict[str, dict[_Pair, dict[str, _Run]]] = {}
        """By namespace, pair and name of the job."""

    def see(self, job: NemoEvalJob) -> None:
        """Take note of a job as it is now; one that has not completed is not shown."""
        key = key_of(job)
        pair, run = _pair_of(job), _run_of(job)
        if pair is None or run is None:
            self.forget(key)
            return
        if self._pair_of.get(key, pair) != pair:
            self.forget(key)
        runs = self._runs.setdefault(key.namespace, {}).setdefault(pair, {})
        # Runs of one pair have the same names nearly always, and share one copy of them.
        other = next(iter(runs.values()), None)
        shared = other.names if other is not None and other.names == run.names else run.names
        runs[key.name] = run._replace(names=shared)
        self._pair_of[key] = pair

    def forget(self, key: ObjectKey) -> None:
        """The job is gone, or has not completed."""
        pair = self._pair_of.pop(key, None)
        if pair is None:
            return
        pairs = self._runs[key.namespace]
        del pairs[pair][key.name]
        if not pairs[pair]:
            del pairs[pair]
        if not pairs:
            del self._runs[key.namespace]

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        scores = GaugeMetricFamily(
            "nemo_eval_score",
            "Score of the latest completed run of each benchmark and model.",
            labels=SCORE_LABELS,
        )
        gates = GaugeMetricFamily(
            "nemo_eval_gate_passed",
            "1 if the gate of the latest completed run of each benchmark and model passed, else 0.",
            labels=GATE_LABELS,
        )
        latest = {namespace: _latest(pairs) for namespace, pairs in sorted(self._runs.items())}
        wanted = {namespace: sum(run.series for _, run in runs) for namespace, runs in latest.items()}
        shares = fair_shares(wanted, self._limit)
        for namespace, runs in latest.items():
            _add(scores, gates, namespace, runs, shares[namespace])
        left_out = sum(wanted.values()) - sum(shares.values())
        left_out += sum(run.left_out for runs in latest.values() for _, run in runs)
        yield scores
        yield gates
        yield GaugeMetricFamily(
            "nemo_eval_series_left_out",
            "Series of nemo_eval_score and nemo_eval_gate_passed that are not shown: there are more than "
            "NEMO_METRICS_SCORE_SERIES, or a run has too many or too long names of scores.",
            value=left_out,
        )


def fair_shares(wanted: Mapping[str, int], limit: int) -> dict[str, int]:
    """Return how many series each namespace may show: all that it has, or an equal part of what is left.

    A namespace that has no more than `limit` divided by the number of namespaces shows all, however many
    others have.
    """
    shares: dict[str, int] = {}
    left = limit
    for done, namespace in enumerate(sorted(wanted, key=lambda name: (wanted[name], name))):
        shares[namespace] = min(wanted[namespace], left // (len(wanted) - done))
        left -= shares[namespace]
    return shares


def _latest(pairs: Mapping[_Pair, Mapping[str, _Run]]) -> list[tuple[_Pair, _Run]]:
    """Return the latest run of each pair, the newest first."""
    latest = [(pair, max(runs.values(), key=lambda run: run[:3])) for pair, runs in pairs.items()]
    return sorted(latest, key=lambda one: (one[1][:3], one[0]), reverse=True)


def _add(
    scores: GaugeMetricFamily,
    gates: GaugeMetricFamily,
    namespace: str,
    runs: list[tuple[_Pair, _Run]],
    share: int,
) -> None:
    """Add at most `share` series of a namespace: verdicts before scores, those of the newest runs first."""
    for (benchmark, model), run in runs:
        if run.verdict is not None and share > 0:
            passed = run.verdict is GateVerdict.PASSED
            gates.add_metric((namespace, benchmark, model, run.verdict.value), float(passed))
            share -= 1
    for (benchmark, model), run in runs:
        for names, value in zip(run.names[:share], run.values[:share], strict=True):
            scores.add_metric((namespace, benchmark, model, *names), value)
        share -= min(share, len(run.values))


def _pair_of(job: NemoEvalJob) -> _Pair | None:
    """Return benchmark and model; None where the config is written in the job, which cannot be compared."""
    if job.spec.benchmark_ref is None or job.spec.dry_run:
        return None
    return _label(job.spec.benchmark_ref.name), _label(job.status.model or "")


def _run_of(job: NemoEvalJob) -> _Run | None:
    status = job.status
    if status.completion_time is None or status.phase is not Phase.SUCCEEDED:
        return None
    try:
        completed = parse_timestamp(status.completion_time)
    except ValueError:
        return None
    created = job.metadata.creation_timestamp or completed
    names, values, left_out = _scores_of(status.scores or [])
    verdict = status.gate.verdict if status.gate is not None else None
    return _Run(
        completed=_aware(completed),
        created=_aware(created),
        name=job.metadata.name,
        names=names,
        values=values,
        left_out=left_out,
        verdict=verdict if verdict in JUDGED else None,
    )


def _aware(time: datetime) -> datetime:
    """Return a time that can be compared with others: a status that others wrote may lack the time zone."""
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _scores_of(scores: list[Score]) -> tuple[_Names, tuple[float, ...], int]:
    """Return names, values, and the number of scores that are left out.

    A task and a group may have the same name: the first of two scores with equal labels is kept, and status
    has tasks first.
    """
    kept: dict[tuple[str, str, str], float] = {}
    characters = left_out = 0
    for score in scores:
        names = _label(score.task or score.group or ""), _label(score.metric), _label(score.score)
        characters += sum(map(len, names))
        if names in kept or characters > MAX_NAMES_CHARACTERS:
            left_out += 1
        else:
            kept[names] = score.value
    return tuple(kept), tuple(kept.values()), left_out


@lru_cache(maxsize=4096)
def _label(text: str) -> str:
    """Return `text` as the value of a label: in one line, valid Unicode, and of bounded length."""
    clean = one_line(text.encode(errors="replace").decode(), len(text))
    if len(clean) <= MAX_LABEL_CHARACTERS:
        return clean
    digest = sha256(clean.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{clean[: MAX_LABEL_CHARACTERS - DIGEST_CHARACTERS - 1]}~{digest}"
