"""What keeps tenants of one evaluator apart: marks with a namespace, mapped names, verified configs."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import RemoteConfig
from nemo_eval_operator.lifecycle.benchmark import (
    BenchmarkFacts,
    ConfigGone,
    check_config,
    config_trouble,
    decide_benchmark,
)
from nemo_eval_operator.lifecycle.ownership import Ownership, owner_named, ownership_of
from nemo_eval_operator.lifecycle.requests import Tenancy, UnusableSpec, check_values, config_body
from nemo_eval_operator.lifecycle.steps import (
    DeleteConfig,
    RemoveFinalizer,
    ReplaceConfig,
    RequeueAfter,
    UpdateConfig,
    WriteStatus,
)
from nemo_eval_operator.resources import NemoBenchmark
from tests.unit.lifecycle.objects import HELD, NOW, UID, benchmark, remote_config, stamp

OWN: dict[str, Any] = {"k8s-uid": UID, "k8s-namespace": "team-a", "k8s-name": "qa"}
THEIRS: dict[str, Any] = {"k8s-uid": "another", "k8s-namespace": "team-b", "k8s-name": "qa"}
ADOPT = HELD | {"annotations": {"evaluator.nemo.dev/adopt": "true"}}
CONFIG: dict[str, Any] = {"type": "custom", "params": {"extra": {"a": 1}}}


@pytest.mark.parametrize(
    ("mark", "cluster", "expected"),
    [
        ({}, "", Ownership.UNMARKED),
        ({"team": "search", "k8s-uid": None}, "", Ownership.UNMARKED),
        (OWN, "", Ownership.OWN),
        # Of earlier releases, without the namespace.
        ({"k8s-uid": UID}, "", Ownership.OWN),
        ({"k8s-uid": "another"}, "", Ownership.FOREIGN),
        (OWN | {"k8s-uid": "another"}, "", Ownership.SAME_NAMESPACE),
        ({"k8s-namespace": "team-a"}, "", Ownership.SAME_NAMESPACE),
        (THEIRS, "", Ownership.FOREIGN),
        (THEIRS | {"k8s-uid": UID}, "", Ownership.FOREIGN),
        (OWN | {"k8s-namespace": ["team-a"]}, "", Ownership.FOREIGN),
        # Two clusters whose namespaces have equal names.
        (OWN | {"k8s-uid": "another", "k8s-cluster": "east"}, "east", Ownership.SAME_NAMESPACE),
        (OWN | {"k8s-uid": "another", "k8s-cluster": "west"}, "east", Ownership.FOREIGN),
        (OWN | {"k8s-uid": "another", "k8s-cluster": "west"}, "", Ownership.FOREIGN),
        (OWN | {"k8s-uid": "another"}, "east", Ownership.FOREIGN),
        # The cluster was named, or named otherwise, after the config was made.
        (OWN, "east", Ownership.OWN),
        (OWN | {"k8s-cluster": "west"}, "east", Ownership.OWN),
    ],
)
def test_whose_config_it_is(mark: dict[str, Any], cluster: str, expected: Ownership) -> None:
    assert ownership_of(mark, benchmark().metadata, cluster=cluster) is expected


def test_what_a_foreign_mark_says_is_shown_in_one_bounded_line() -> None:
    shown = owner_named({"k8s-namespace": "team\nb\x1b[2J" + "x" * 5000})
    assert len(shown) <= 200
    assert shown.isprintable()


def bench(meta: dict[str, Any] = HELD, config: dict[str, Any] = CONFIG, **status: Any) -> NemoBenchmark:
    return benchmark(meta=meta, config=config, status=status or None)


def facts(thing: NemoBenchmark, remote: RemoteConfig | ConfigGone, **more: Any) -> BenchmarkFacts:
    desired = config_body(thing, {})
    return BenchmarkFacts(now=NOW, desired=desired, resync_seconds=300.0, remote=remote, **more)


def stored(mark: dict[str, Any], **document: Any) -> RemoteConfig:
    named = {"id": "eval-config-1", "name": "qa", "namespace": "team-a", "custom_fields": mark}
    return remote_config(**(named | CONFIG | document))


class TestForeignConfig:
    @pytest.mark.parametrize("mark", [THEIRS, {"k8s-uid": "another"}])
    def test_no_annotation_of_a_tenant_adopts_it(self, mark: dict[str, Any]) -> None:
        thing = bench(ADOPT)
        step = decide_benchmark(thing, facts(thing, stored(mark)))
        assert isinstance(step, WriteStatus)
        assert step.status.conditions[0].reason == "ConfigExists"
        assert "adopt=true" not in (step.status.message or "")
        assert "NEMO_ALLOW_FOREIGN_ADOPTION" in (step.status.message or "")

    def test_the_administrator_can_allow_it_and_the_annotation_is_needed_all_the_same(self) -> None:
        allowed = Tenancy(adopt_foreign=True)
        asks, silent = bench(ADOPT), bench()
        assert decide_benchmark(asks, facts(asks, stored(THEIRS), tenancy=allowed)) == UpdateConfig()
        assert isinstance(
            decide_benchmark(silent, facts(silent, stored(THEIRS), tenancy=allowed)), WriteStatus
        )

    def test_it_is_not_deleted_with_an_object_that_names_it(self) -> None:
        thing = bench(ADOPT | {"deletionTimestamp": stamp(NOW)})
        assert decide_benchmark(thing, facts(thing, stored(THEIRS))) == RemoveFinalizer()
        assert decide_benchmark(thing, facts(thing, stored(OWN))) == DeleteConfig()

    def test_a_secret_that_an_update_does_not_remove_goes_with_the_config(self) -> None:
        thing = bench(ADOPT)
        kept = stored(OWN, params={"extra": {"a": 1, "api_key": "******"}})
        assert decide_benchmark(thing, facts(thing, kept, updated=True)) == ReplaceConfig()
        assert isinstance(decide_benchmark(thing, facts(thing, kept, replaced=True)), WriteStatus)


def test_the_mark_of_an_earlier_release_is_completed() -> None:
    thing = ready(bench())
    assert decide_benchmark(thing, facts(thing, stored({"k8s-uid": UID}))) == UpdateConfig()


def test_a_tenant_cannot_write_marks_into_custom_fields() -> None:
    forged = {
        "k8s-uid": "x",
        "k8s-namespace": "team-b",
        "k8s-cluster": "west",
        "k8s-attempt": "1",
        "team": "a",
    }
    body = config_body(bench(config=CONFIG | {"custom_fields": forged}), {})
    assert body["custom_fields"] == OWN | {"team": "a"}
    assert ownership_of(forged, bench().metadata) is Ownership.FOREIGN


MAP = Tenancy(nemo_namespaces={"team-a": ("nemo-a", "shared"), "team-b": ("team-c",)})


@pytest.mark.parametrize(
    ("tenancy", "namespace", "wanted", "refused"),
    [
        (Tenancy(), "team-a", "anything", False),
        (MAP, "team-a", "nemo-a", False),
        (MAP, "team-a", "shared", False),
        (MAP, "team-a", "team-c", True),
        (MAP, "team-a", None, True),
        (MAP, "team-b", "team-c", False),
        # Not in the map: the name of its own, unless that is given to another.
        (MAP, "team-d", None, False),
        (MAP, "team-d", "team-d", False),
        (MAP, "team-d", "shared", True),
        (MAP, "team-c", None, True),
        (MAP, "team-c", "team-c", True),
    ],
)
def test_mapped_namespaces(tenancy: Tenancy, namespace: str, wanted: str | None, refused: bool) -> None:
    config = CONFIG | ({"namespace": wanted} if wanted else {})
    thing = benchmark(meta={"namespace": namespace}, config=config)
    if not refused:
        check_config(thing, config_body(thing, {}), tenancy)
        return
    with pytest.raises(UnusableSpec, match=r"^spec\.config\.namespace is .*NEMO_NAMESPACE_MAP"):
        check_config(thing, config_body(thing, {}), tenancy)


@pytest.mark.parametrize("field", ["name", "namespace"])
@pytest.mark.parametrize(
    "name", ["..", ".", "a/b", "../v1", "a%2Fb", "a b", "a\n", "", "-a", "ä", "a?b", "a#b", "a\\b", "x" * 256]
)
def test_a_name_that_is_not_fit_for_a_path_is_refused_by_its_field(field: str, name: str) -> None:
    thing = benchmark(config=CONFIG)
    config = thing.spec.config.model_copy(update={field: name})
    thing = thing.model_copy(update={"spec": thing.spec.model_copy(update={"config": config})})
    with pytest.raises(UnusableSpec, match=rf"^spec\.config\.{field} is "):
        check_config(thing, config_body(thing, {}), Tenancy())


@pytest.mark.parametrize("name", ["gsm8k", "a", "0", "meta.llama-3_1@v2", "team:qa", "A~b+c", "x" * 255])
def test_names_as_people_write_them_are_fit(name: str) -> None:
    thing = benchmark(config=CONFIG | {"name": name, "namespace": name})
    check_config(thing, config_body(thing, {}), Tenancy())


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"params": {"extra": {"hf_token": "******"}}}, "spec.config.params.extra.hf_token"),
        ({"tasks": {"qa": {"rows": [{"key": " ****** "}]}}}, "spec.config.tasks.qa.rows[0].key"),
    ],
)
def test_a_mask_is_refused_by_the_path_of_its_field(body: dict[str, Any], path: str) -> None:
    with pytest.raises(UnusableSpec) as caught:
        check_values(body, "spec.config")
    assert str(caught.value).startswith(f"{path} is ******")
    check_values({"stop": ["***", "*******"], "******": 1}, "spec.config")


def ready(thing: NemoBenchmark, remote: RemoteConfig | None = None) -> NemoBenchmark:
    """As it is once its config was written and reads as `remote`."""
    known = facts(thing, remote or stored(OWN), replaced=True)
    step = decide_benchmark(thing, known)
    assert isinstance(step, WriteStatus)
    return thing.model_copy(update={"status": step.status})


INSISTS = stored(OWN, params={"extra": {"a": 2, "b": 3}})
"""As a server keeps it that overrides one value and adds another."""


class TestVerifiedConfig:
    @pytest.mark.parametrize("remote", [stored(OWN), INSISTS])
    def test_what_the_benchmark_wrote_may_be_referred_to_and_is_left_alone(
        self, remote: RemoteConfig
    ) -> None:
        thing = ready(bench(), remote)
        assert config_trouble(thing, remote, Tenancy()) is None
        assert decide_benchmark(thing, facts(thing, remote, updated=True, replaced=True)) == RequeueAfter(
            300.0
        )

    @pytest.mark.parametrize(
        "altered",
        [
            stored(OWN, params={"extra": {"a": 9}}),
            stored(OWN, params={"extra": {"a": 1, "evil": True}}),
            stored(OWN, tasks={"more": {"type": "data"}}),
            stored(OWN, type="mmlu"),
            ConfigGone(),
        ],
    )
    def test_what_was_altered_since_is_not_referred_to_and_is_restored(
        self, altered: RemoteConfig | ConfigGone
    ) -> None:
        thing = ready(bench())
        trouble = config_trouble(thing, altered, Tenancy())
        assert trouble is not None
        assert trouble.reason == "BenchmarkNotReady"
        assert "config team-a/qa" in trouble.message
        assert not isinstance(decide_benchmark(thing, facts(thing, altered)), RequeueAfter | WriteStatus)

    def test_what_a_server_insists_on_may_not_change_either(self) -> None:
        thing = ready(bench(), INSISTS)
        other = stored(OWN, params={"extra": {"a": 3, "b": 3}})
        assert config_trouble(thing, other, Tenancy()) is not None
        assert decide_benchmark(thing, facts(thing, other)) == UpdateConfig()

    @pytest.mark.parametrize("mark", [{}, THEIRS, OWN | {"k8s-uid": "another"}])
    def test_another_owners_config_is_not_referred_to(self, mark: dict[str, Any]) -> None:
        trouble = config_trouble(ready(bench()), stored(mark), Tenancy())
        assert trouble is not None
        assert "does not have this benchmark's mark" in trouble.message

    def test_a_benchmark_of_an_earlier_release_is_looked_at_first(self) -> None:
        thing = ready(bench())
        unknown = thing.model_copy(update={"status": thing.status.model_copy(update={"config_digest": None})})
        assert config_trouble(unknown, stored(OWN), Tenancy()) is not None
        assert isinstance(decide_benchmark(unknown, facts(unknown, stored(OWN))), WriteStatus)

    def test_the_digest_does_not_depend_on_a_secret_and_the_secret_may_be_masked_or_not(self) -> None:
        source = {"secretKeyRef": {"name": "hub", "key": "token"}, "targetPath": "params.extra.hf_token"}
        thing = benchmark(meta=HELD, config=CONFIG, valuesFrom=[source])
        digests = set()
        for shown in ("one", "two", "******"):
            desired = config_body(thing, {"params.extra.hf_token": "one"})
            remote = stored(OWN, params={"extra": {"a": 1, "hf_token": shown}})
            known = BenchmarkFacts(now=NOW, desired=desired, resync_seconds=60, remote=remote, replaced=True)
            step = decide_benchmark(thing, known)
            assert isinstance(step, WriteStatus)
            digests.add(step.status.config_digest)
        assert len(digests) == 1
        status = thing.status.model_copy(update={"config_digest": digests.pop()})
        removed = thing.model_copy(update={"status": status})
        assert config_trouble(removed, stored(OWN), Tenancy()) is not None
