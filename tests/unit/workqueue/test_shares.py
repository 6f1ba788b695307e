"""Whatever other namespaces' evaluators do, there is a worker for the next one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nemo_eval_operator.workqueue import Shares
from nemo_eval_operator.workqueue.shares import FIRST_READS, MAX_CONNECTION_CALLS

WORKERS = st.integers(1, 32)

NAMESPACES = st.integers(0, 40).map(lambda number: f"tenant-{number}")

LANES = st.builds(lambda namespace, number: f"{namespace}/{number}", NAMESPACES, st.integers(0, 30))
"""Of connections; all of them tarpits, whose calls never end."""


@given(WORKERS, WORKERS, st.lists(LANES | NAMESPACES.map(lambda name: f"{name}/"), max_size=400))
def test_whatever_connections_do_another_namespace_gets_a_worker(
    workers: int, per_evaluator: int, wanted: list[str]
) -> None:
    shares = Shares(workers=workers, per_evaluator=per_evaluator)
    for lane in wanted:
        if shares.may_call(lane):
            shares.take(lane, "any")

    assert shares.may_call("victim/evaluator")
    assert shares.may_call("victim/")
    assert shares.may_call("own")
    assert shares.may_read("victim")


@given(WORKERS, WORKERS, st.lists(LANES, max_size=400))
def test_no_namespace_has_more_workers_than_one_evaluator_may_have(
    workers: int, per_evaluator: int, wanted: list[str]
) -> None:
    shares, started = Shares(workers=workers, per_evaluator=per_evaluator), list[str]()
    for lane in wanted:
        if shares.may_call(lane):
            shares.take(lane, "any")
            started.append(lane.partition("/")[0])

    assert all(started.count(namespace) <= per_evaluator for namespace in set(started))
    assert len(started) <= max(MAX_CONNECTION_CALLS, workers)


@given(WORKERS, WORKERS, st.lists(NAMESPACES, max_size=200))
def test_there_are_as_many_loops_as_may_be_busy(
    workers: int, per_evaluator: int, namespaces: list[str]
) -> None:
    shares, busy = Shares(workers=workers, per_evaluator=per_evaluator), 0
    for namespace in namespaces:
        for lane in (f"{namespace}/a", f"{namespace}/b", "own"):
            if shares.may_call(lane):
                shares.take(lane, namespace)
                busy += 1
        if shares.may_read(namespace):
            shares.take(FIRST_READS, namespace)
            busy += 1

    assert busy <= shares.loops


@given(st.lists(st.tuples(LANES | st.just("own") | st.just(FIRST_READS), NAMESPACES), max_size=100))
def test_a_worker_that_is_given_back_is_free_for_any(taken: list[tuple[str, str]]) -> None:
    shares = Shares(workers=1, per_evaluator=1)
    for lane, namespace in taken:
        shares.take(lane, namespace)
    for lane, namespace in taken:
        shares.give_back(lane, namespace)

    for lane, namespace in taken:
        assert shares.may_read(namespace) if lane == FIRST_READS else shares.may_call(lane)
