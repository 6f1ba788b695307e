"""The kubectl plugin by its console scripts, on a real API server, with the rights of an ordinary user."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from tests.integration.crds import Api, Manifest
from tests.unit.plugin.test_import import CONFIG, LAUNCHER, TARGET

pytestmark = pytest.mark.usefixtures("crds")

GROUP = "evaluator.nemo.dev"
RUN = {"benchmarkRef": {"name": "qa"}, "model": "meta/llama-3.1-8b-instruct"}
WHEN = {"lastTransitionTime": "2026-01-02T03:04:05Z", "message": "what happened"}

Plugin = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def jobs(cluster: Cluster, namespace: str) -> Api:
    return Api(cluster, namespace, "NemoEvalJob")


@pytest.fixture
def plugin(cluster: Cluster, namespace: str) -> Plugin:
    """The plugin for a user who may read jobs and nothing else."""
    return plugin_for(cluster, namespace, "reader", ["get", "list"])


@pytest.fixture
def editor(cluster: Cluster, namespace: str) -> Plugin:
    """The plugin for a user who may also create and change jobs."""
    return plugin_for(cluster, namespace, "editor", ["get", "list", "create", "patch"])


def plugin_for(cluster: Cluster, namespace: str, account: str, verbs: list[str]) -> Plugin:
    rules = [{"apiGroups": [GROUP], "resources": ["nemoevaljobs"], "verbs": verbs}]
    kubeconfig = cluster.create_account(namespace, account, rules)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("kubectl-nemoeval"), *words, "-n", namespace],
            env=os.environ | {"KUBECONFIG": str(kubeconfig), "COLUMNS": "300"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def end(jobs: Api, name: str, *conditions: tuple[str, str, str]) -> None:
    entries = [{"type": kind, "status": status, "reason": why, **WHEN} for kind, status, why in conditions]
    status = {"observedGeneration": 1, "message": "what happened", "conditions": entries}
    jobs.patch_status(status, name=name)


def read(jobs: Api, name: str) -> Manifest:
    found = jobs.cluster.kubectl("get", f"nemoevaljob/{name}", "-n", jobs.namespace, "-o", "json")
    document: Manifest = json.loads(found.stdout)
    return document


def test_wait_ends_on_success_and_on_failure(jobs: Api, plugin: Plugin) -> None:
    jobs.create(RUN, name="good")
    jobs.create(RUN, name="bad")
    assert plugin("wait", "good", "--timeout=0.5s").returncode == 3
    end(jobs, "good", ("Ready", "True", "Completed"), ("Complete", "True", "Completed"))
    end(
        jobs,
        "bad",
        ("Ready", "False", "EvaluationFailed"),
        ("Stalled", "True", "EvaluationFailed"),
        ("Failed", "True", "EvaluationFailed"),
    )
    done = plugin("wait", "good", "--timeout=30s")
    assert (done.returncode, done.stdout) == (0, "good: succeeded: what happened\n")
    assert plugin("wait", "good", "bad", "--timeout=30s").returncode == 1
    assert plugin("wait", "missing", "--timeout=30s").returncode == 4


def test_get_lists_runs_with_those_that_need_attention_first(jobs: Api, plugin: Plugin) -> None:
    for name in ("good", "new", "bad"):
        jobs.create(RUN, name=name)
    end(jobs, "good", ("Ready", "True", "Completed"), ("Complete", "True", "Completed"))
    end(jobs, "bad", ("Ready", "False", "InvalidSpec"), ("Stalled", "True", "InvalidSpec"))
    done = plugin("get")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["NAME", "bad", "new", "good"]
    assert [one["exitCode"] for one in json.loads(plugin("get", "-o", "json").stdout)] == [1, None, 0]
    refused = plugin("get", "-A")
    assert refused.returncode == 4
    assert "ask for a ClusterRole" in refused.stderr


def test_get_gives_kubectl_the_names_that_a_label_selector_matches(jobs: Api, plugin: Plugin) -> None:
    for name in ("one", "two", "three"):
        jobs.create(RUN, name=name)
    label = ("label", "nemoevaljobs", "one", "two", "team=search", "-n", jobs.namespace)
    jobs.cluster.kubectl(*label)
    names = plugin("get", "-l", "team in (search)", "-o", "name").stdout.split()
    assert sorted(names) == [f"nemoevaljob.{GROUP}/one", f"nemoevaljob.{GROUP}/two"]
    read_by_kubectl = jobs.cluster.kubectl("get", *names, "-n", jobs.namespace, "-o", "name").stdout.split()
    assert read_by_kubectl == names
    assert len(plugin("get", "one", "three", "-o", "json").stdout.split('"uid"')) == 3


def test_results_without_the_right_to_read_config_maps(jobs: Api, plugin: Plugin) -> None:
    jobs.create(RUN, name="it")
    assert "it has not ended yet" in plugin("results", "it").stderr
    score = {"task": "qa", "metric": "answered", "score": "string-check", "value": 0.5}
    kept = {"configMap": "it-results", "key": "results.json"}
    jobs.patch_status({"scores": [score], "resultsRef": kept}, name="it")
    done = plugin("results", "it")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split() == ["qa/answered/string-check", "0.5"]
    assert "may not get configmaps" in done.stderr
    refused = plugin("rows", "it")
    assert (refused.returncode, refused.stderr.count("\n")) == (4, 1)


def test_why_names_what_is_in_the_way_and_which_rights_are_missing(jobs: Api, plugin: Plugin) -> None:
    jobs.create(RUN, name="it")
    end(jobs, "it", ("Ready", "False", "BenchmarkNotFound"), ("Reconciling", "True", "BenchmarkNotFound"))
    done = plugin("why", "it")
    assert done.returncode == 0, done.stderr
    assert "\nIn the way: benchmark qa (BenchmarkNotFound)\n" in done.stdout
    assert "What to do: Create it in the job's namespace." in done.stdout
    for right in ("get nemobenchmarks", "list nemoevaluatorconnections", "list events"):
        assert f"may not {right}" in done.stdout


def test_run_creates_a_run_that_the_api_server_accepts(
    jobs: Api, plugin: Plugin, editor: Plugin, tmp_path: Path
) -> None:
    gate = tmp_path / "gate.yaml"
    gate.write_text("criteria: [{score: answered, minimum: 0.7}]")
    words = ("run", "-b", "qa", "-m", "meta/llama-3.1-8b-instruct", "--gate", str(gate))
    done = editor(*words)
    assert done.returncode == 0, done.stderr
    created = read(jobs, done.stdout.strip())
    assert created["spec"]["gate"]["criteria"][0]["minimum"] == 0.7
    assert created["metadata"]["generateName"] == "qa-"
    refused = plugin(*words)
    assert refused.returncode == 4
    assert "may not create nemoevaljobs" in refused.stderr
    gate.write_text("{criteria: [{score: answered, minimum: 0.7}], ifNoBaseline: Skip}")
    refused = editor(*words)
    assert refused.returncode == 64, refused.stderr
    assert "ifNoBaseline: Skip is for baseline.selector" in refused.stderr


def test_all_options_of_run_are_fields_that_the_api_server_accepts(
    jobs: Api, editor: Plugin, tmp_path: Path
) -> None:
    params = ("temperature=0.0", "top_p=0.5", "max_tokens=32", 'stop=["a", "b"]')
    sampling = [word for one in params for word in ("--sampling-params", one)]
    words = ("run", "-b", "qa", "-m", "m", *sampling, "--limit", "50", "--priority", "-3")
    done = editor(*words, "-l", "series=nightly,example.com/team=", "--name", "first")
    assert (done.returncode, done.stdout) == (0, "first\n"), done.stderr
    first = read(jobs, "first")
    assert first["metadata"]["labels"] == {"series": "nightly", "example.com/team": ""}
    assert first["spec"] == {
        "benchmarkRef": {"name": "qa"},
        "model": "m",
        "samplingParams": {"temperature": 0, "top_p": 0.5, "max_tokens": 32, "stop": ["a", "b"]},
        "limitSamples": 50,
        "priority": -3,
    }

    refused = editor(*words, "--name", "first")
    assert refused.returncode == 64
    assert "NemoEvalJob first exists already" in refused.stderr
    assert read(jobs, "first") == first

    gate = tmp_path / "gate.yaml"
    gate.write_text("criteria: [{score: answered, maxDrop: 0.02}]")
    compared = ("--gate", str(gate), "--baseline", "first")
    # The API server has written 0.0 as 0, by which runs are compared.
    same = editor(*words, *compared, "--name", "second")
    assert same.returncode == 0, same.stderr
    other = editor("run", "-b", "qa", "-m", "m", *compared)
    assert other.returncode == 64
    assert "spec.samplingParams.temperature is 0 there and not set here" in other.stderr

    trial = editor("run", "--like", "second", "--one-sample", "--name", "trial")
    assert trial.returncode == 0, trial.stderr
    assert read(jobs, "trial")["spec"]["dryRun"] is True


def test_a_run_is_steered_by_a_user_who_may_patch_it(jobs: Api, plugin: Plugin, editor: Plugin) -> None:
    jobs.create(RUN, name="it")
    for action, field in (("suspend", True), ("resume", False)):
        done = editor(action, "it")
        assert done.returncode == 0, done.stderr
        assert read(jobs, "it")["spec"]["suspend"] is field
    jobs.patch_status({"observedGeneration": 3, "phase": "Running", "jobId": "eval-1"}, name="it")
    refused = plugin("rerun", "it")
    assert refused.returncode == 4
    assert "may not patch nemoevaljobs" in refused.stderr
    assert editor("rerun", "it").returncode == 0
    assert "evaluator.nemo.dev/rerun" in read(jobs, "it")["metadata"]["annotations"]
    assert editor("cancel", "it").returncode == 0
    assert read(jobs, "it")["spec"]["cancel"] is True
    refused = editor("suspend", "it")
    assert (refused.returncode, refused.stdout) == (1, "")


def test_doctor_knows_the_crds_of_its_release_and_names_missing_rights(plugin: Plugin) -> None:
    done = plugin("doctor", "-o", "json")
    found = {(one["check"], one["level"]) for one in json.loads(done.stdout)}
    assert found >= {("Kubernetes", "ok"), ("clock", "ok"), ("CRDs", "ok"), ("rights", "warning")}
    assert "you may not create nemoevaljobs" in done.stdout
    assert "you may not list nemoevaljobs" not in done.stdout


def test_logs_need_the_right_to_read_the_connection(jobs: Api, plugin: Plugin) -> None:
    jobs.create(RUN, name="it")
    assert "it has no remote job" in plugin("logs", "it").stderr
    used = {"url": "http://evaluator.test", "connection": f"{jobs.namespace}/prod"}
    jobs.patch_status({"jobId": "eval-1", "evaluator": used}, name="it")
    refused = plugin("logs", "it")
    assert refused.returncode == 4
    assert "may not get nemoevaluatorconnections" in refused.stderr


def test_imported_manifests_are_accepted_by_the_api_server(jobs: Api, tmp_path: Path) -> None:
    for number, document in enumerate(({"config": CONFIG, "target": TARGET}, LAUNCHER)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(document))
        done = plugin_without_cluster("import", str(path))
        assert done.returncode == 0, done.stderr
        apply = ("apply", "--dry-run=server", "-n", jobs.namespace, "-f", "-")
        jobs.cluster.kubectl(*apply, input=done.stdout)


def plugin_without_cluster(*words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("kubectl-nemoeval")
    return subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=60)
