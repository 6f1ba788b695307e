"""NEMO_MAX_RUNNING_JOBS holds by URL and until the remote job has ended, whatever a tenant does."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.job_author import KINDS, JobAuthor
from tests.e2e.operator_stack import OperatorStack
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, benchmark, connection, eventually, model_job
from tests.e2e.stub_model import StubModel
from tests.e2e.test_admission import most_at_once, queued

LIMITED = {"NEMO_MAX_RUNNING_JOBS": "1", "NEMO_ALLOW_LOOPBACK_CONNECTIONS": "true"}


def tenant_of(stack: OperatorStack) -> Scenario:
    """A tenant with all rights on the three kinds in its namespace."""
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    return JobAuthor(scenario, kinds=(*KINDS, "nemoevaluatorconnections")).scenario


def until_queued(tenant: Scenario, name: str) -> None:
    eventually(lambda: name in queued(tenant), f"{name} waits for a slot")


def strip_finalizer(tenant: Scenario, name: str) -> None:
    tenant.kubectl("delete", JOB, name, "--wait=false")
    tenant.patch(JOB, name, {"metadata": {"finalizers": None}})


def delete_orphan(tenant: Scenario, name: str) -> None:
    tenant.patch(JOB, name, {"spec": {"deletionPolicy": "Orphan"}})
    tenant.kubectl("delete", JOB, name, "--timeout=20s")


def hold_by_a_finalizer(tenant: Scenario, name: str) -> None:
    """The object stays although the operator has nothing to do with it any more, and reads as cancelled."""
    finalizers = [*tenant.finalizers(JOB, name), "tenant.example/hold"]
    tenant.patch(JOB, name, {"metadata": {"finalizers": finalizers}, "spec": {"deletionPolicy": "Orphan"}})
    tenant.kubectl("delete", JOB, name, "--wait=false")
    tenant.until_phase(name, "Cancelled")


@pytest.mark.parametrize("let_go", [strip_finalizer, delete_orphan, hold_by_a_finalizer])
@pytest.mark.parametrize("restart", [False, True], ids=["same operator", "after a restart"])
def test_a_job_without_its_object_keeps_its_slot_until_it_has_ended(
    let_go: Callable[[Scenario, str], None], restart: bool, stack: OperatorStack, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    stack.start_evaluator()
    operator = stack.start_operator(LIMITED)
    tenant = tenant_of(stack)
    tenant.apply(benchmark(), model_job("first"))
    tenant.until_phase("first", "Running")

    if let_go is strip_finalizer:
        # The operator would cancel what it sees being deleted; a tenant is quicker than it.
        stack.kill(operator)
        let_go(tenant, "first")
        tenant.until_gone(JOB, "first")
        operator = stack.start_operator(LIMITED)
    else:
        let_go(tenant, "first")
    tenant.apply(model_job("second"))
    until_queued(tenant, "second")
    if restart:
        stack.kill(operator)
        stack.start_operator(LIMITED)
        tenant.apply(model_job("third"))
        until_queued(tenant, "third")

    assert [job["custom_fields"]["k8s-name"] for job in tenant.remote_jobs()] == ["first"]
    pausable_model.answer_again()
    tenant.until_phase("second", "Succeeded")
    assert most_at_once(tenant) == 1
    if let_go is hold_by_a_finalizer:
        tenant.patch(JOB, "first", {"metadata": {"finalizers": None}})


def test_a_name_used_again_does_not_free_the_slot_of_the_first_one(
    stack: OperatorStack, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    stack.start_evaluator()
    stack.start_operator(LIMITED)
    tenant = tenant_of(stack)
    tenant.apply(benchmark(), model_job("again", deletionPolicy="Orphan"))
    tenant.until_phase("again", "Running")

    tenant.kubectl("replace", "--force", "-f", "-", input=json.dumps(model_job("again")))
    until_queued(tenant, "again")

    assert len(tenant.remote_jobs()) == 1
    pausable_model.answer_again()
    tenant.until_phase("again", "Succeeded")
    assert most_at_once(tenant) == 1


def test_a_connection_to_the_administrators_url_shares_its_limit(
    stack: OperatorStack, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    stack.start_evaluator()
    operator = stack.start_operator(LIMITED)
    tenant = tenant_of(stack)
    tenant.apply(
        connection("own", f"{stack.evaluator_url}/", maxRunningJobs=50),
        benchmark("by-connection", evaluatorRef={"name": "own"}),
        benchmark(),
    )
    for name in ("qa", "by-connection"):
        tenant.until_reason(BENCHMARK, name, "ConfigReady")

    tenant.apply(model_job("first", of="by-connection"))
    tenant.until_phase("first", "Running")
    tenant.apply(model_job("second"))
    until_queued(tenant, "second")
    tenant.apply(model_job("third", of="by-connection"))
    until_queued(tenant, "third")
    stack.kill(operator)
    stack.start_operator(LIMITED)
    tenant.apply(model_job("fourth"), model_job("fifth", of="by-connection"))
    until_queued(tenant, "fourth")
    until_queued(tenant, "fifth")

    assert [job["custom_fields"]["k8s-name"] for job in tenant.remote_jobs()] == ["first"]
    pausable_model.answer_again()
    for name in ("first", "second", "third", "fourth", "fifth"):
        tenant.until_phase(name, "Succeeded")
    assert most_at_once(tenant) == 1


@pytest.mark.parametrize("broken", ["url", "credentials"])
def test_a_connection_that_is_broken_while_its_job_runs_keeps_no_slot_when_the_job_has_ended(
    broken: str, stack: OperatorStack, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    stack.start_evaluator()
    stack.start_operator(LIMITED)
    tenant = tenant_of(stack)
    tenant.apply(
        connection("own", stack.evaluator_url), benchmark("by-connection", evaluatorRef={"name": "own"})
    )
    tenant.apply(benchmark())
    tenant.apply(model_job("first", of="by-connection"))
    tenant.until_phase("first", "Running")
    missing = {"bearerToken": {"name": "none", "key": "token"}}
    spec = {"url": "http://127.0.0.1:9"} if broken == "url" else {"auth": missing}
    tenant.patch("nemoevaluatorconnection", "own", {"spec": spec})
    tenant.apply(model_job("second"))
    until_queued(tenant, "second")

    pausable_model.answer_again()

    tenant.until_phase("second", "Succeeded", seconds=180)
    assert tenant.status(JOB, "first")["phase"] != "Succeeded", "it cannot be asked for at its connection"
    assert most_at_once(tenant) == 1
