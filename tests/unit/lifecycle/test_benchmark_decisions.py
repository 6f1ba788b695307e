"""Decisions about a NemoBenchmark that is not deleted."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import RemoteConfig
from nemo_eval_operator.lifecycle.benchmark import ConfigGone, decide_benchmark, has_new_secrets, was_ready
from nemo_eval_operator.lifecycle.steps import (
    AddFinalizer,
    CreateConfig,
    ObserveConfig,
    ReplaceConfig,
    RequeueAfter,
    UpdateConfig,
    WriteStatus,
)
from nemo_eval_operator.resources import BenchmarkStatus, SecretVersion
from tests.unit.lifecycle.benchmark_configs import (
    DRIFTED,
    EARLIER,
    LEFTOVER,
    UNMARKED,
    WANTED,
    bench,
    known,
    ours,
    outcome,
    ready,
)
from tests.unit.lifecycle.objects import READY, STALLED, benchmark, condition

ADOPT = {"annotations": {"evaluator.nemo.dev/adopt": "true"}}

SECRET = SecretVersion(name="hub", uid="s-1", resource_version="7")


class TestPresent:
    @pytest.mark.parametrize(
        ("meta", "scenario", "step"),
        [
            ({}, {}, ObserveConfig()),
            ({}, {"remote": ConfigGone()}, AddFinalizer()),
            (ADOPT, {"remote": UNMARKED}, AddFinalizer()),
            (ADOPT, {"remote": UNMARKED, "updated": True}, AddFinalizer()),
        ],
    )
    def test_the_finalizer_comes_before_the_first_write_and_not_sooner(
        self, meta: dict[str, Any], scenario: dict[str, Any], step: object
    ) -> None:
        thing = benchmark(meta=meta, config=WANTED)
        assert decide_benchmark(thing, known(thing, **scenario)) == step

    def test_a_config_that_is_not_its_own_needs_no_finalizer(self) -> None:
        thing = benchmark(config=WANTED)
        assert isinstance(decide_benchmark(thing, known(thing, remote=UNMARKED)), WriteStatus)

    @pytest.mark.parametrize("scenario", [{}, {"remote": ours()}])
    def test_one_that_was_released_and_has_a_config_gets_the_finalizer_back(
        self, scenario: dict[str, Any]
    ) -> None:
        thing = benchmark(status=ready(), config=WANTED)
        assert decide_benchmark(thing, known(thing, **scenario)) == AddFinalizer()

    @pytest.mark.parametrize(
        ("status", "scenario", "step"),
        [
            ({}, {}, ObserveConfig()),
            (ready(), {}, ObserveConfig()),
            ({}, {"remote": ConfigGone()}, CreateConfig()),
            (ready(), {"remote": ConfigGone()}, CreateConfig()),
            # A new spec is always sent: the answer does not show which secret the server holds.
            ({}, {"remote": ours()}, UpdateConfig()),
            (ready(generation=0), {"remote": ours()}, UpdateConfig()),
            (ready(), {"remote": ours()}, RequeueAfter(300.0)),
            (ready(), {"remote": DRIFTED}, UpdateConfig()),
            # The update did not take: where the spec is new, the config is replaced, once.
            ({}, {"remote": DRIFTED, "updated": True}, ReplaceConfig()),
        ],
    )
    def test_the_config_is_brought_to_what_the_spec_says(
        self, status: dict[str, Any], scenario: dict[str, Any], step: object
    ) -> None:
        thing = bench(status=status)
        assert decide_benchmark(thing, known(thing, **scenario)) == step

    @pytest.mark.parametrize(
        ("given", "now"),
        [
            ([], [SECRET]),
            ([SECRET], []),
            ([SECRET], [SECRET.model_copy(update={"resource_version": "8"})]),
            ([SECRET], [SECRET.model_copy(update={"uid": "another of that name"})]),
            ([SECRET], [SECRET, SECRET.model_copy(update={"name": "more"})]),
        ],
    )
    def test_another_version_of_a_secret_is_sent_and_then_known(
        self, given: list[SecretVersion], now: list[SecretVersion]
    ) -> None:
        thing = bench(status=ready() | {"secrets": [version.to_manifest() for version in given]})
        assert has_new_secrets(thing, now)
        assert decide_benchmark(thing, known(thing, remote=ours(), secrets=now)) == UpdateConfig()
        scenario = known(thing, remote=ours(), secrets=now, updated=True)
        step = decide_benchmark(thing, scenario)
        assert isinstance(step, WriteStatus)
        written = thing.model_copy(update={"status": step.status})
        assert not has_new_secrets(written, now)
        assert decide_benchmark(written, known(thing, remote=ours(), secrets=now)) == RequeueAfter(300.0)

    @pytest.mark.parametrize("sent", [{"updated": True}, {"replaced": True}])
    def test_a_config_as_it_should_be_is_ready(self, sent: dict[str, Any]) -> None:
        thing = bench()
        scenario = known(thing, remote=ours(), **sent)
        step = decide_benchmark(thing, scenario)
        assert outcome(step) == (READY, "ConfigReady")
        assert isinstance(step, WriteStatus)
        status = step.status
        assert isinstance(status, BenchmarkStatus)
        assert (status.config, status.config_id) == ("team-a/qa", "eval-config-1")
        written = thing.model_copy(update={"status": status})
        assert was_ready(written)
        assert decide_benchmark(written, scenario) == RequeueAfter(300.0)

    @pytest.mark.parametrize(
        ("remote", "status", "sent"),
        [
            (DRIFTED, {}, {"replaced": True}),
            (DRIFTED, ready(), {"updated": True}),
            # What it does not let go of is likely its own default: no reason to delete the config.
            (LEFTOVER, ready(), {"updated": True}),
            (LEFTOVER, {}, {"updated": True}),
            (LEFTOVER, {}, {"replaced": True}),
        ],
    )
    def test_what_the_server_insists_on_is_said_and_let_be(
        self, remote: RemoteConfig, status: dict[str, Any], sent: dict[str, Any]
    ) -> None:
        thing = bench(status=status)
        step = decide_benchmark(thing, known(thing, remote=remote, **sent))
        assert outcome(step) == (READY, "ConfigReady")
        assert isinstance(step, WriteStatus)
        assert "the server overrides params." in (step.status.message or "")

    @pytest.mark.parametrize("remote", [EARLIER, UNMARKED])
    @pytest.mark.parametrize("status", [{}, ready()])
    def test_a_config_of_another_owner_is_not_changed(
        self, remote: RemoteConfig, status: dict[str, Any]
    ) -> None:
        thing = bench(status=status)
        step = decide_benchmark(thing, known(thing, remote=remote))
        assert outcome(step) == (STALLED, "ConfigExists")
        assert isinstance(step, WriteStatus)
        assert "kubectl annotate -n team-a nemobenchmark qa evaluator.nemo.dev/adopt=true" in (
            step.status.message or ""
        )
        written = thing.model_copy(update={"status": step.status})
        assert decide_benchmark(written, known(thing, remote=remote)) == RequeueAfter(300.0)

    @pytest.mark.parametrize("remote", [EARLIER, UNMARKED])
    def test_it_is_taken_over_where_the_object_says_so(self, remote: RemoteConfig) -> None:
        thing = bench(meta=ADOPT)
        assert decide_benchmark(thing, known(thing, remote=remote)) == UpdateConfig()

    def test_an_annotation_that_says_false_takes_nothing_over(self) -> None:
        thing = bench(meta={"annotations": {"evaluator.nemo.dev/adopt": "false"}})
        step = decide_benchmark(thing, known(thing, remote=EARLIER))
        assert outcome(step) == (STALLED, "ConfigExists")

    def test_a_takeover_without_effect_is_not_repeated(self) -> None:
        thing = bench(meta=ADOPT)
        step = decide_benchmark(thing, known(thing, remote=EARLIER, updated=True))
        assert step != UpdateConfig()

    @pytest.mark.parametrize(
        ("conditions", "was"),
        [
            ([], False),
            ([condition("Ready", "True", "ConfigReady")], True),
            ([condition("Ready", "True", "ConfigReady", generation=2)], False),
            ([condition("Ready", "False", "ConfigReady")], False),
            ([condition("Stalled", "True", "ConfigExists")], False),
        ],
    )
    def test_ready_is_ready_for_this_very_spec(self, conditions: list[dict[str, Any]], was: bool) -> None:
        assert was_ready(bench(status={"conditions": conditions})) is was
