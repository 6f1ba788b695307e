"""What kubectl wait, Flux (by kstatus) and Argo CD (by our Lua) make of live objects, situation by situation.

One operator and one evaluator are led through all of them once; each test then asks one question of what was
seen. What should be seen is what docs/explanation/gitops.md and docs/architecture.md say.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import Cluster
from testbed.faults import FaultProxy
from testbed.kstatus import Verdict, verdicts
from testbed.processes import Processes
from tests.argocd import health
from tests.documented import SITUATIONS, conditions_to_kstatus
from tests.e2e.operator_stack import OperatorStack, halted
from tests.e2e.scenario import (
    BENCHMARK,
    JOB,
    Scenario,
    benchmark,
    connection,
    data_benchmark,
    data_job,
    eventually,
    model_job,
)
from tests.e2e.stub_model import StubModel
from tests.e2e.test_remote_status import Answers

KINDS = {
    "NemoBenchmark": "nemobenchmarks",
    "NemoEvalJob": "nemoevaljobs",
    "NemoEvaluatorConnection": "nemoevaluatorconnections",
}


@dataclass
class Tour:
    """What was seen on the way: an object, kstatus' verdict on it and kubectl's, by kind and situation."""

    scenario: Scenario
    seen: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    waited: dict[str, bool] = field(default_factory=dict)

    def see(self, situation: str, kind: str, name: str) -> None:
        (verdict,) = verdicts(self.scenario.cluster, self.scenario.namespace, f"{KINDS[kind]}/{name}")
        self.seen[kind, situation] = verdict

    def wait(self, condition: str, name: str) -> None:
        """Whether `kubectl wait --for=condition=…` is content at once."""
        said = self.scenario.kubectl(
            "wait", f"--for=condition={condition}", f"nejob/{name}", "--timeout=0s", check=False
        )
        self.waited[f"{condition} {name}"] = "condition met" in said


@pytest.fixture(scope="module")
def tour(
    cluster: Cluster,
    crds: None,
    datasets: Path,
    stub_model: StubModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Tour]:
    namespace = f"test-{uuid.uuid4().hex[:10]}"
    cluster.kubectl("create", "namespace", namespace)
    stub_model.stop_answering()
    with Processes() as processes:
        stack = OperatorStack(
            cluster, namespace, processes, tmp_path_factory.mktemp("tour"), datasets, stub_model
        )
        tour = Tour(Scenario(cluster, namespace, stack.evaluator_url))
        lead(tour, stack)
        processes.check()
        yield tour
    stub_model.answer_again()
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def lead(tour: Tour, stack: OperatorStack) -> None:
    apply_everything(tour)
    operator = stack.start_operator({"NEMO_ALLOW_LOOPBACK_CONNECTIONS": "true"})
    wait_for_what_is_missing(tour)
    evaluator = stack.start_evaluator()
    evaluate(tour)
    stack.kill(evaluator)
    tour.scenario.until_reason(JOB, "runs", "EvaluatorUnreachable")
    tour.see("running, the evaluator is down", "NemoEvalJob", "runs")
    with halted(operator):
        edit_and_delete(tour)
    eventually(lambda: tour.scenario.status(JOB, "done")["observedGeneration"] == 2, "the edit is handled")
    tour.see("edited and handled", "NemoEvalJob", "done")
    tour.scenario.until_gone(JOB, "runs")


def nested(depth: int) -> dict[str, Any]:
    """Objects within each other: the local evaluator takes a hundred."""
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def apply_everything(tour: Tour) -> None:
    token = {"secretKeyRef": {"name": "missing", "key": "token"}, "targetPath": "params.extra.hf_token"}
    tour.scenario.apply(
        benchmark(),
        data_benchmark(),
        data_benchmark("secretive", valuesFrom=[token]),
        data_benchmark("unreadable", config={"type": "gsm8k", "params": {"stop": 5}}),
        data_benchmark("refused", config={"type": "custom", "params": {"extra": nested(120)}}),
        data_job("early", of="nowhere"),
        data_job("done"),
        data_job("twice"),
        data_job("held", suspend=True),
        *gated_jobs(),
        data_job("unreadable", target={"type": "model", "model": 5}),
        inline(data_job("broken"), {"type": "telepathy"}),
        model_job("runs", cancelTimeoutSeconds=1),
        model_job("stopped"),
        model_job("late", activeDeadlineSeconds=1),
        connection("main", tour.scenario.evaluator_url),
        connection("astray", "http://169.254.169.254"),
    )
    tour.see("applied, not handled yet", "NemoEvaluatorConnection", "main")
    tour.see("not applied yet", "NemoEvaluatorConnection", "absent")
    tour.see("applied, not handled yet", "NemoBenchmark", "rows")
    tour.see("applied, not handled yet", "NemoEvalJob", "done")
    tour.see("not applied yet", "NemoBenchmark", "absent")
    tour.see("not applied yet", "NemoEvalJob", "absent")


def gated_jobs() -> list[dict[str, Any]]:
    """Runs whose scores are the same, and whose gates come to different verdicts."""
    score = "rows/exact/string-check"
    drop: dict[str, Any] = {"criteria": [{"score": score, "maxDrop": 0.02}]}
    done = {"jobRef": {"name": "done"}}
    return [
        data_job("good", gate={"criteria": [{"score": score, "minimum": 0}]}),
        data_job("bad", gate={"criteria": [{"score": score, "minimum": 2}]}),
        data_job("unclear", gate={**drop, "baseline": done}),
        data_job("lenient", gate={**drop, "baseline": done, "onInconclusive": "Pass"}),
        data_job("patient", gate={**drop, "baseline": {"jobRef": {"name": "held"}}}),
    ]


def wait_for_what_is_missing(tour: Tour) -> None:
    """The operator is there, the evaluator is not."""
    for kind, name, reason, situation in (
        ("NemoEvalJob", "early", "BenchmarkNotFound", "waiting for its benchmark"),
        ("NemoEvalJob", "held", "Suspended", "suspended"),
        ("NemoEvalJob", "unreadable", "InvalidSpec", "invalid"),
        ("NemoEvalJob", "broken", "EvaluatorUnreachable", "waiting for an evaluator that is down"),
        ("NemoBenchmark", "rows", "EvaluatorUnreachable", "waiting for an evaluator that is down"),
        ("NemoBenchmark", "secretive", "SecretNotFound", "waiting for a Secret"),
        ("NemoBenchmark", "unreadable", "InvalidSpec", "invalid"),
        ("NemoEvaluatorConnection", "main", "ConnectionRefused", "its evaluator is down"),
        ("NemoEvaluatorConnection", "astray", "AddressForbidden", "leads where it must not"),
    ):
        tour.scenario.until_reason(kind, name, reason)
        tour.see(situation, kind, name)


def evaluate(tour: Tour) -> None:
    tour.scenario.until_phase("stopped", "Running", seconds=60)
    tour.scenario.patch(JOB, "stopped", {"spec": {"cancel": True}})
    for name, phase, situation in (
        ("done", "Succeeded", "succeeded"),
        ("broken", "Failed", "failed"),
        ("late", "Failed", "deadline exceeded"),
        ("stopped", "Cancelled", "cancelled"),
        ("runs", "Running", "running"),
    ):
        tour.scenario.until_phase(name, phase, seconds=60)
        tour.see(situation, "NemoEvalJob", name)
        tour.wait("Complete", name)
        tour.wait("Failed", name)
    judge_gates(tour)
    report_oddly(tour)
    tour.scenario.until_phase("twice", "Succeeded")
    tour.see("in place", "NemoBenchmark", "rows")
    tour.scenario.until_reason(BENCHMARK, "refused", "EvaluatorRejected")
    tour.see("refused by the evaluator", "NemoBenchmark", "refused")
    tour.scenario.until_reason("NemoEvaluatorConnection", "main", "Reachable")
    tour.see("its evaluator answers", "NemoEvaluatorConnection", "main")


def judge_gates(tour: Tour) -> None:
    for name, reason, situation in (
        ("patient", "WaitingForBaseline", "completed, its gate waits for the baseline"),
        ("good", "GatePassed", "completed, its gate passed"),
        ("bad", "GateFailed", "completed, its gate failed"),
        ("unclear", "GateInconclusive", "completed, its gate inconclusive"),
        ("lenient", "GateInconclusive", "the same, with `onInconclusive: Pass`"),
    ):
        tour.scenario.until_reason(JOB, name, reason)
        tour.see(situation, "NemoEvalJob", name)


def report_oddly(tour: Tour) -> None:
    """One connection leads to a proxy that answers for jobs in the evaluator's place."""
    scenario = tour.scenario
    answers = Answers(body={"status": "pending"})
    with FaultProxy(scenario.evaluator_url) as proxy:
        proxy.instead = answers.instead
        ref = {"evaluatorRef": {"name": "odd"}}
        scenario.apply(connection("odd", proxy.url), benchmark("odd", **ref), model_job("odd", of="odd"))
        scenario.until_reason(JOB, "odd", "QueuedInEvaluator")
        tour.see("accepted by the evaluator, not started there", "NemoEvalJob", "odd")
        answers.body = {"status": "running"}
        scenario.until_phase("odd", "Running")
        answers.body = {"status": "error"}
        scenario.until_reason(JOB, "odd", "RemoteStatusUnknown")
        tour.see("running, the evaluator does not say how it stands", "NemoEvalJob", "odd")
        answers.body = None
        for kind in (JOB, BENCHMARK, "nemoevaluatorconnection"):
            scenario.kubectl("delete", kind, "odd", "--timeout=60s")


def edit_and_delete(tour: Tour) -> None:
    """Edit and delete objects while no operator runs."""
    tour.scenario.patch(JOB, "done", {"spec": {"priority": 1}})
    tour.scenario.patch(BENCHMARK, "rows", {"spec": {"config": {"params": {"parallelism": 3}}}})
    tour.see("edited, not handled yet", "NemoEvalJob", "done")
    tour.see("edited, not handled yet", "NemoBenchmark", "rows")
    tour.scenario.patch("NemoEvaluatorConnection", "astray", {"spec": {"url": tour.scenario.evaluator_url}})
    tour.see("edited, not handled yet", "NemoEvaluatorConnection", "astray")
    tour.scenario.kubectl("annotate", JOB, "twice", "evaluator.nemo.dev/rerun=1")
    tour.see("asked to run again, not handled yet", "NemoEvalJob", "twice")
    tour.scenario.kubectl("delete", JOB, "runs", "--wait=false")
    tour.scenario.kubectl("delete", BENCHMARK, "rows", "--wait=false")
    tour.see("being deleted", "NemoEvalJob", "runs")
    tour.see("being deleted", "NemoBenchmark", "rows")


def inline(job: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """The job with a config of its own, instead of a benchmark's."""
    del job["spec"]["benchmarkRef"]
    check = {"type": "string-check", "params": {"check": ["{{item.output}}", "equals", "{{item.answer}}"]}}
    job["spec"]["config"] = {"type": "custom", "tasks": {"t": task | {"metrics": {"exact": check}}}}
    return job


@pytest.mark.parametrize(("kind", "situation"), SITUATIONS)
def test_each_situation_reads_as_documented(tour: Tour, kind: str, situation: str) -> None:
    documented = SITUATIONS[kind, situation]
    verdict = tour.seen[kind, situation]
    status = (verdict.object or {}).get("status", {})
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}

    assert (verdict.status, health(verdict.object).status) == (documented.kstatus, documented.argocd)
    assert (status.get("phase"), conditions) == (documented.phase, documented.conditions)


def test_no_other_situation_was_seen(tour: Tour) -> None:
    assert tour.seen.keys() - SITUATIONS.keys() == {("NemoEvalJob", "edited and handled")}
    assert tour.seen["NemoEvalJob", "edited and handled"].status == "Current"


def test_the_table_of_the_architecture_says_the_same_as_kstatus(tour: Tour) -> None:
    table = conditions_to_kstatus()
    for verdict in tour.seen.values():
        if verdict.status in {"NotFound", "Terminating"} or verdict.object is None:
            continue
        metadata, status = verdict.object["metadata"], verdict.object["status"]
        if status["observedGeneration"] in {metadata["generation"], -1}:
            conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
            assert table[frozenset(conditions.items())] == verdict.status, metadata["name"]


def test_kubectl_waits_for_the_words_of_a_job(tour: Tour) -> None:
    met = {question for question, answer in tour.waited.items() if answer}

    assert met == {"Complete done", "Failed broken", "Failed late", "Failed stopped"}
    assert len(tour.waited) == 10
