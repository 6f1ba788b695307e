"""Which evaluator is opened for whom, kept, changed and closed; over the real clients, without a network."""

from __future__ import annotations

from dataclasses import replace

from nemo_eval_operator.lifecycle.job import EvaluatorUnusable
from tests.unit.lifecycle.objects import HELD, benchmark, evaljob, followed
from tests.unit.reconcile.one_evaluator import URL
from tests.unit.sessions.connections import Stage, by, connection, url_of


async def test_what_names_none_has_the_default_of_its_namespace_else_the_operators_own() -> None:
    stage = Stage()
    assert url_of(await stage.chosen()) == URL
    stage.change(connection("other"), connection("main", default=True))
    assert url_of(await stage.chosen()) == "http://main.test"
    assert url_of(await stage.chosen(**by("other"))) == "http://other.test"
    assert url_of(await stage.chosen(**by("none"))) == "ConnectionNotFound"


async def test_a_default_that_cannot_be_read_is_not_replaced_by_the_operators_own_evaluator() -> None:
    """As after a downgrade from a version that allows more."""
    stage = Stage()
    stage.change(connection("main", default=True, pollIntervalSeconds=6000))
    assert url_of(await stage.chosen()) == "ConnectionNotReady"
    record = {"url": "http://main.test", "connection": "team-a/main"}
    running = evaljob(meta=HELD, status=followed(evaluator=record))
    assert url_of(await stage.resolver.of_job(running, None)) == "ConnectionNotReady"
    assert stage.opened == []


async def test_another_namespaces_connection_has_to_allow_it() -> None:
    stage = Stage()
    stage.kube.put(connection("shared", namespace="team-b"))
    chosen = await stage.chosen(**by("shared", namespace="team-b"))
    assert isinstance(chosen, EvaluatorUnusable)
    assert (chosen.reason, chosen.stalled) == ("ConnectionNotAllowed", True)
    assert stage.opened == [], "nothing is done for it"
    assert not any("secrets" in path for path in stage.kube.asked)


async def test_a_connection_of_another_namespace_is_not_told_from_one_that_does_not_exist() -> None:
    stage = Stage()
    stage.kube.put(connection("shared", namespace="team-b"))
    there = await stage.chosen(**by("shared", namespace="team-b"))
    absent = await stage.chosen(**by("absent", namespace="team-b"))
    elsewhere = await stage.chosen(**by("shared", namespace="no-such-namespace"))

    assert isinstance(there, EvaluatorUnusable)
    assert isinstance(absent, EvaluatorUnusable)
    assert isinstance(elsewhere, EvaluatorUnusable)
    assert absent == replace(there, message=there.message.replace("shared", "absent"))
    assert elsewhere == replace(there, message=there.message.replace("team-b", "no-such-namespace"))


async def test_a_thousand_jobs_read_the_connections_once() -> None:
    stage = Stage()
    stage.kube.put(connection("main", default=True))
    for _ in range(1000):
        await stage.chosen()
    lists = [path for path in stage.kube.asked if path.endswith("/nemoevaluatorconnections")]
    assert (len(lists), stage.opened) == (1, ["http://main.test"])


async def test_what_was_submitted_stays_there_whatever_the_default_and_the_connection_say() -> None:
    stage = Stage()
    record = {"url": "http://main.test", "connection": "team-a/main"}
    running = evaljob(meta=HELD, status=followed(evaluator=record), config={"type": "x"})
    stage.change(connection("main"), connection("newer", default=True))
    assert url_of(await stage.resolver.of_job(running, None)) == "http://main.test"

    stage.change(connection("main", generation=2, url="http://elsewhere.test"))
    assert url_of(await stage.resolver.of_job(running, None)) == "EvaluatorChanged"
    assert "http://elsewhere.test" not in stage.opened

    del stage.kube.connections["team-a", "main"]
    stage.change()
    assert url_of(await stage.resolver.of_job(running, None)) == "ConnectionNotFound"


async def test_the_operators_own_evaluator_is_where_the_administrator_says_it_is() -> None:
    stage = Stage()
    for record in ({"url": URL}, {"url": "http://before.test"}, None):
        running = evaljob(meta=HELD, status=followed(evaluator=record))
        assert url_of(await stage.resolver.of_job(running, None)) == URL
        assert stage.evaluators.find(running.status.evaluator) is stage.evaluators.own
        assert stage.evaluators.own.has(running)


async def test_a_job_goes_where_its_benchmarks_config_is_not_where_the_default_is_now() -> None:
    stage = Stage()
    stage.change(connection("main"), connection("newer", default=True))
    kept = benchmark(status={"evaluator": {"url": "http://main.test", "connection": "team-a/main"}})
    assert url_of(await stage.resolver.of_job(evaljob(), kept)) == "http://main.test"
    assert url_of(await stage.resolver.of_job(evaljob(**by("newer")), kept)) == "EvaluatorMismatch"
    stage.change(connection("main", generation=2, url="http://moved.test"))
    assert url_of(await stage.resolver.of_job(evaljob(), kept)) == "BenchmarkNotReady"


async def test_what_an_older_copy_of_a_connection_says_is_not_acted_on() -> None:
    """A worker may have read it just before the edit."""
    stage = Stage()
    old = connection("main", default=True)
    new = connection("main", generation=2, default=True, url="http://moved.test")
    stage.change(new)
    assert url_of(await stage.chosen()) == "http://moved.test"
    stage.change(old)
    assert url_of(await stage.chosen()) == "ConnectionNotReady"
    assert (stage.opened, stage.closed) == (["http://moved.test"], [])


async def test_a_connection_that_takes_its_leave_back_is_not_used_for_what_runs_there() -> None:
    """Nor on the word of a status, should anybody be able to write one."""
    stage = Stage()
    stage.kube.put(connection("shared", namespace="team-b", url="http://shared.test"))
    record = {"url": "http://shared.test", "connection": "team-b/shared"}
    running = evaljob(meta=HELD, status=followed(evaluator=record), config={"type": "x"})
    assert url_of(await stage.resolver.of_job(running, None)) == "ConnectionNotAllowed"
    kept = benchmark(status={"evaluator": record})
    assert url_of(await stage.resolver.of_job(evaljob(), kept)) == "ConnectionNotAllowed"
    assert stage.opened == []
