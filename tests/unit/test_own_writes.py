"""Echoes of the operator's own writes are dropped, and no change by others with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_eval_operator.handlers import Context, WatchLiveness
from nemo_eval_operator.handlers.own_writes import MAX_VERSIONS
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.runtime.heartbeats import Heartbeats
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.workqueue import WorkQueue

JOBS = "nemoevaljobs"
KEY = ObjectKey(JOBS, "team-a", "qa")


def event(version: int, *, digest: int = 0, kind: str | None = "MODIFIED", phase: str = "Pending") -> Any:
    meta = {"uid": "uid-qa", "namespace": "team-a", "name": "qa", "resourceVersion": str(version)}
    return {"type": kind, "object": {"metadata": meta, "seen": {"Phase": phase, "digest": digest}}}


class Watch:
    """Events as a session and Kopf pass them on; `kopf` holds those that are still with Kopf."""

    def __init__(self) -> None:
        self.looked_at = 0
        self.queue = WorkQueue()
        self.metrics = Metrics()
        self.context = Context(
            queue=self.queue,
            credentials=None,  # type: ignore[arg-type]  # not used: the test does not log in
            is_noted=lambda _uid, _version: False,
            watch_liveness=WatchLiveness(Heartbeats(), namespaces=False),
            metrics=self.metrics,
        )
        self.writes = self.context.own_writes
        self.writes.on_change = self.queue.add
        self.kopf: list[Any] = []

    def comes(self, shown: Any) -> bool:
        """Return whether the event was absorbed."""
        if absorbed := self.context.absorbs(JOBS, shown):
            return absorbed
        self.kopf.append(shown)
        return False

    def pass_on(self) -> None:
        for shown in self.kopf:
            self.context.shown(JOBS, shown)
        self.kopf.clear()

    def queued(self) -> bool:
        """Return whether the object was queued since this was called last."""
        self.pass_on()
        queued = self.queue.holds(KEY)
        self.queue = WorkQueue()
        object.__setattr__(self.context, "queue", self.queue)
        self.writes.on_change = self.queue.add
        return queued


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    watch.comes(event(1, kind="ADDED"))
    assert watch.queued()
    yield watch
    assert not watch.context.with_kopf


def test_an_echo_that_comes_after_its_answer_is_absorbed(watch: Watch) -> None:
    watch.writes.begun(KEY)
    watch.writes.ended(KEY, "2")
    assert watch.comes(event(2, digest=1))
    assert not watch.queued()


@pytest.mark.parametrize("kopf_is_quick", [True, False])
def test_an_echo_that_comes_before_its_answer_is_dropped(watch: Watch, kopf_is_quick: bool) -> None:
    watch.writes.begun(KEY)
    assert not watch.comes(event(2, digest=1))
    if kopf_is_quick:
        watch.pass_on()
    watch.writes.ended(KEY, "2")
    assert not watch.queued()


@pytest.mark.parametrize("answer", ["3", None], ids=["answered", "not answered"])
def test_a_change_by_others_that_comes_during_a_write_is_looked_at(watch: Watch, answer: str | None) -> None:
    watch.writes.begun(KEY)
    watch.comes(event(2, digest=1))
    watch.pass_on()
    watch.writes.ended(KEY, answer)
    assert watch.queued()


def test_the_echo_of_a_write_whose_answer_was_lost_is_looked_at(watch: Watch) -> None:
    watch.writes.begun(KEY)
    watch.writes.ended(KEY, None)
    assert not watch.comes(event(2, digest=1))
    assert watch.queued()


def test_a_change_by_others_is_not_overtaken_by_an_echo(watch: Watch) -> None:
    watch.comes(event(2, digest=1))
    watch.writes.begun(KEY)
    watch.writes.ended(KEY, "3")
    assert not watch.comes(event(3, digest=1))
    assert watch.queued()


def test_a_list_may_hide_the_versions_before_an_own_one(watch: Watch) -> None:
    watch.writes.begun(KEY)
    watch.writes.ended(KEY, "3")
    watch.comes(event(3, digest=1, kind=None))
    assert watch.queued()


def test_an_object_of_a_list_is_taken_up_without_kopf() -> None:
    watch = Watch()

    assert watch.comes(event(1, kind=None))

    assert not watch.kopf
    assert watch.queued()


def test_an_object_of_a_list_does_not_overtake_an_event_that_kopf_is_about_to_pass(watch: Watch) -> None:
    watch.comes(event(2, digest=2))

    assert not watch.comes(event(3, digest=3, kind=None))

    assert [shown["object"]["metadata"]["resourceVersion"] for shown in watch.kopf] == ["2", "3"]
    assert watch.queued()


def test_a_status_of_others_is_noted_without_a_look(watch: Watch) -> None:
    assert watch.comes(event(2, phase="Running"))
    assert 'phase="Running"} 1.0' in watch.metrics.exposition().decode()


def test_nothing_is_kept_of_an_object_that_is_gone_or_whose_events_do_not_come(watch: Watch) -> None:
    for version in range(2, 50):
        watch.writes.begun(KEY)
        watch.writes.ended(KEY, str(version))
    assert not watch.writes.is_echo(KEY, str(49 - MAX_VERSIONS))
    assert watch.writes.is_echo(KEY, "49")
    watch.comes(event(50, kind="DELETED"))
    assert watch.queued()
    assert not watch.writes.is_echo(KEY, "49")


STEPS = st.lists(
    st.tuples(st.sampled_from(["own", "other", "own, answered late"]), st.booleans(), st.booleans()),
    max_size=12,
)


@given(STEPS)
def test_whatever_the_order_each_change_by_others_is_looked_at_and_no_echo(
    steps: list[tuple[str, bool, bool]],
) -> None:
    watch, version, digest = Watch(), 1, 0
    watch.comes(event(1, kind="ADDED"))
    assert watch.queued()
    for who, changes, kopf_is_quick in steps:
        version, digest = version + 1, digest + changes
        if who != "other":
            watch.writes.begun(KEY)
        if who == "own":
            watch.writes.ended(KEY, str(version))
        watch.comes(event(version, digest=digest))
        if kopf_is_quick:
            watch.pass_on()
        if who == "own, answered late":
            watch.writes.ended(KEY, str(version))
        assert watch.queued() is (who == "other" and changes)
    assert not watch.context.with_kopf
    assert not watch.writes.is_echo(KEY, str(version))


def test_nothing_is_kept_of_a_deleted_object_whose_events_kopf_did_not_pass_on(watch: Watch) -> None:
    watch.comes(event(2, digest=1))
    watch.kopf.clear()
    watch.comes(event(3, kind="DELETED"))
    assert watch.queued()
