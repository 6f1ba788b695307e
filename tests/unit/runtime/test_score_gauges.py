"""Scores and verdicts at /metrics: of which run they are, how many there are, and what labels may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from nemo_eval_operator.kube import ObjectKey, key_of
from nemo_eval_operator.resources import NemoEvalJob
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.runtime.score_gauges import MAX_LABEL_CHARACTERS, ScoreGauges, fair_shares
from tests.unit.lifecycle.objects import evaljob, finished, followed

SCORE, GATE, LEFT_OUT = "nemo_eval_score", "nemo_eval_gate_passed", "nemo_eval_series_left_out"
EXACT = {"task": "qa", "metric": "exact", "score": "string-check"}


def score(value: float, **names: str) -> dict[str, Any]:
    return {**EXACT, **names, "value": value}


def run(
    name: str = "one",
    *scores: dict[str, Any],
    namespace: str = "team-a",
    ago: float = 0,
    verdict: str | None = None,
    **spec: Any,
) -> NemoEvalJob:
    """A completed run that ended `ago` seconds before the others."""
    gate = {"gate": {"verdict": verdict, "hash": "sha256:1"}} if verdict else {}
    model = spec.get("model", "llama")
    status = finished(ago, scores=list(scores) or [score(0.5)], model=model, **gate)
    return evaljob(meta={"name": name, "namespace": namespace}, status=status, **{"model": model} | spec)


class Shown:
    """Metrics of an operator that shows at most `limit` series of scores."""

    def __init__(self, *jobs: NemoEvalJob, limit: int = 100) -> None:
        self.metrics = Metrics(object_names=True, score_series=limit)
        assert self.metrics.scores is not None
        self.gauges: ScoreGauges = self.metrics.scores
        for job in jobs:
            self.gauges.see(job)

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        families = text_string_to_metric_families(self.metrics.exposition().decode())
        return [(one.labels, one.value) for family in families for one in family.samples if one.name == name]

    def values(self, name: str = SCORE) -> list[float]:
        return [value for _, value in self.samples(name)]

    def gone(self, name: str) -> None:
        self.gauges.forget(ObjectKey(NemoEvalJob.PLURAL, "team-a", name))


def test_a_score_is_shown_with_its_benchmark_and_model() -> None:
    shown = Shown(run("one", score(0.25), verdict="Passed"))

    pair = {"namespace": "team-a", "benchmark": "qa", "model": "llama"}
    assert shown.samples(SCORE) == [({**pair, **EXACT}, 0.25)]
    assert shown.samples(GATE) == [({**pair, "verdict": "Passed"}, 1.0)]
    assert shown.values(LEFT_OUT) == [0.0]


@pytest.mark.parametrize(
    ("verdict", "values"),
    [("Passed", [1.0]), ("Failed", [0.0]), ("Inconclusive", [0.0]), ("Pending", []), (None, [])],
)
def test_only_a_gate_that_passed_is_one(verdict: str | None, values: list[float]) -> None:
    assert Shown(run(verdict=verdict)).values(GATE) == values


def test_the_latest_run_of_each_benchmark_and_model_is_shown_in_whichever_order_they_are_seen() -> None:
    jobs = [
        run("new", score(0.9), ago=10),
        run("old", score(0.1), ago=99),
        run("other-model", score(0.3), ago=50, model="mistral"),
        run("other-benchmark", score(0.4), ago=60, benchmarkRef={"name": "math"}),
    ]

    assert Shown(*jobs).values() == Shown(*reversed(jobs)).values() == [0.9, 0.3, 0.4]


def test_of_two_runs_that_ended_in_one_second_the_same_is_shown_after_a_restart() -> None:
    jobs = [run("a", score(0.1)), run("b", score(0.2))]

    assert Shown(*jobs).values() == Shown(*reversed(jobs)).values() == [0.2]


def test_after_a_deletion_the_run_before_is_shown_and_then_none() -> None:
    shown = Shown(run("old", score(0.1), ago=99, verdict="Failed"), run("new", score(0.9)))
    assert shown.values(GATE) == []

    shown.gone("new")
    assert (shown.values(), shown.values(GATE)) == ([0.1], [0.0])
    shown.gone("old")
    shown.gone("old")
    assert (shown.values(), shown.values(GATE), shown.values(LEFT_OUT)) == ([], [], [0.0])
    assert not shown.gauges._runs  # noqa: SLF001  # nothing is kept


def test_a_run_that_starts_again_is_not_shown_until_it_completes() -> None:
    shown = Shown(run("one", score(0.1)))

    shown.gauges.see(evaljob(meta={"name": "one"}, status=followed(attempt=2), model="llama"))
    assert shown.values() == []
    shown.gauges.see(run("one", score(0.2)))
    assert shown.values() == [0.2]


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(run(dryRun=True), id="a dry run"),
        pytest.param(run(config={"type": "gsm8k"}, benchmarkRef=None), id="a config in place"),
        pytest.param(evaljob(status=finished(phase="Failed", scores=[score(1)])), id="failed"),
        pytest.param(evaljob(status=finished(completionTime="once", scores=[score(1)])), id="no time"),
    ],
)
def test_what_is_not_a_result_of_a_benchmark_is_not_shown(job: NemoEvalJob) -> None:
    assert Shown(job).values() == []


def test_a_failed_run_leaves_the_scores_of_the_completed_one_before_it() -> None:
    failed = evaljob(meta={"name": "two"}, status=finished(phase="Failed", model="llama"), model="llama")

    assert Shown(run("one", score(0.7), ago=60), failed).values() == [0.7]


def test_however_many_scores_one_tenant_has_those_of_others_are_shown() -> None:
    greedy = [run(f"job-{number}", ago=number, model=f"m-{number}") for number in range(500)]
    modest = [
        run("one", score(0.1, task=task), namespace=namespace, verdict="Passed")
        for namespace, task in (("team-b", "b"), ("team-c", "c"))
    ]

    shown = Shown(*greedy, *modest, limit=30)

    by_namespace = [labels["namespace"] for labels, _ in shown.samples(SCORE) + shown.samples(GATE)]
    assert (by_namespace.count("team-b"), by_namespace.count("team-c")) == (2, 2)
    assert by_namespace.count("team-a") == 26
    assert shown.values(LEFT_OUT) == [474.0]
    models = [labels["model"] for labels, _ in shown.samples(SCORE) if labels["namespace"] == "team-a"]
    assert models == [f"m-{number}" for number in range(26)], "the newest runs of the namespace"


def test_verdicts_are_shown_before_scores() -> None:
    shown = Shown(
        run("a", score(1), score(2, task="b"), verdict="Failed"),
        run("b", ago=9, model="m", verdict="Passed"),
        limit=3,
    )

    assert (shown.values(GATE), shown.values(), shown.values(LEFT_OUT)) == ([0.0, 1.0], [1.0], [2.0])


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 60), max_size=12), st.integers(0, 200))
def test_shares_are_fair(wanted: dict[str, int], limit: int) -> None:
    shares = fair_shares(wanted, limit)

    assert shares.keys() == wanted.keys()
    assert sum(shares.values()) == min(limit, sum(wanted.values()))
    for name, share in shares.items():
        assert share <= wanted[name]
        if wanted[name] <= limit // len(wanted):
            assert share == wanted[name]
        if share < wanted[name]:
            assert share >= max(shares.values()) - 1


def test_label_values_are_bounded_cleaned_and_stay_different() -> None:
    long = "x" * 400
    names = [f"{long}1", f"{long}2", 'a"b\n\x1b[2Jc', "half \ud800 of a pair"]
    shown = Shown(run("one", *(score(number, task=name) for number, name in enumerate(names)), model=long))

    tasks = [labels["task"] for labels, _ in shown.samples(SCORE)]
    assert len(set(tasks)) == 4
    assert all(len(task) <= MAX_LABEL_CHARACTERS for task in tasks)
    assert tasks[2:] == ['a"b [2Jc', "half ? of a pair"]
    assert {len(labels["model"]) for labels, _ in shown.samples(SCORE)} == {MAX_LABEL_CHARACTERS}


def test_scores_whose_labels_are_equal_are_one_series() -> None:
    """Prometheus refuses a second sample of one series."""
    group = {key: value for key, value in score(0.2, group="qa").items() if key != "task"}
    shown = Shown(run("one", score(0.1), group, score(0.3, task="other\n"), score(0.4, task="other\t")))

    assert (shown.values(), shown.values(LEFT_OUT)) == ([0.1, 0.3], [2.0])


def test_of_long_names_few_are_kept() -> None:
    scores = [score(number, task=f"{number}".ljust(256, "x")) for number in range(50)]
    shown = Shown(run("one", *scores))

    [left_out] = shown.values(LEFT_OUT)
    assert len(shown.values()) + left_out == 50
    assert 10 < left_out < 40


def test_runs_of_a_benchmark_share_the_names_of_their_scores() -> None:
    jobs = [run(f"job-{number}", score(0.1), ago=number) for number in range(3)]
    shown = Shown(*jobs)

    kept = [shown.gauges._runs["team-a"]["qa", "llama"][key_of(job).name].names for job in jobs]  # noqa: SLF001
    assert kept[0] is kept[1] is kept[2]


@pytest.mark.parametrize(
    "completed", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-01"]
)
def test_no_time_that_a_tenant_writes_into_a_status_breaks_the_metrics(completed: str) -> None:
    odd = run("odd")
    odd = odd.model_copy(update={"status": odd.status.model_copy(update={"completion_time": completed})})
    shown = Shown(odd, run("other", namespace="team-b"), run("even"))

    assert [labels["namespace"] for labels, _ in shown.samples(SCORE)] == ["team-a", "team-b"]


def test_no_score_is_shown_or_kept_unless_the_administrator_wants_names() -> None:
    assert Metrics().scores is None
    assert Metrics(score_series=10).scores is None
    assert Metrics(object_names=True, score_series=0).scores is None
