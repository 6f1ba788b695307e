"""A report by the plugin's console script, on a real API server, with the rights of an ordinary user."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nemo_eval_operator.gates import evidence_of, pack
from testbed.cluster import Cluster
from tests.integration.crds import Api, Manifest
from tests.unit.plugin.reported import answers, config_map

pytestmark = pytest.mark.usefixtures("crds")

RULES = [
    {"apiGroups": ["evaluator.nemo.dev"], "resources": ["nemoevaljobs"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
]


def put(jobs: Api, name: str, scores: list[float], *, day: int) -> None:
    """Create a run that succeeded, with its results and evidence."""
    results = answers(scores)
    packed = pack(evidence_of(results))
    texts = {"results.json": json.dumps(results), "config.json": '{"type":"custom"}'}
    for manifest in (
        config_map(f"{name}-results", texts),
        config_map(f"{name}-evidence", {"evidence.json": packed.header}, {"items.zlib": packed.items}),
    ):
        jobs.cluster.kubectl("create", "-n", jobs.namespace, "-f", "-", input=json.dumps(manifest))
    jobs.create({"benchmarkRef": {"name": "qa"}, "model": "meta/llama-3.1-8b-instruct"}, name=name)
    when = {"lastTransitionTime": f"2026-01-0{day}T03:04:05Z", "reason": "Completed", "message": "done"}
    status: Manifest = {
        "observedGeneration": 1,
        "phase": "Succeeded",
        "completionTime": f"2026-01-0{day}T03:04:05Z",
        "conditions": [{"type": one, "status": "True", **when} for one in ("Ready", "Complete")],
        "scores": [{"task": "qa", "metric": "answered", "score": "string-check", "value": 0.5}],
        "resultsRef": {"configMap": f"{name}-results", "key": "results.json"},
        "evidenceRef": {"configMap": f"{name}-evidence", "digest": packed.digest},
    }
    jobs.patch_status(status, name=name)


def test_a_user_who_may_read_runs_and_config_maps_writes_a_report(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    jobs = Api(cluster, namespace, "NemoEvalJob")
    put(jobs, "old", [1.0] * 30 + [0.0] * 10, day=1)
    put(jobs, "new", [0.0] * 10 + [1.0] * 30, day=2)
    kubeconfig = cluster.create_account(namespace, "reader", RULES)
    for ending in ("html", "json"):
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("kubectl-nemoeval"), "report", "old", "new"),
                *("-n", namespace, "-o", tmp_path / f"report.{ending}"),
            ],
            env=os.environ | {"KUBECONFIG": str(kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    (change,) = report["comparisons"][0]["changes"]
    assert (change["better"], change["worse"], change["equal"]) == (10, 10, 20)
    assert [point["run"] for point in report["histories"][0]["points"]] == ["old", "new"]
    assert not any(run["notes"] for run in report["runs"])
    assert "Items that became worse" in (tmp_path / "report.html").read_text()
