"""The pipelines of deploy/recipes, run in bash by an account with the rights of ci-rbac.yaml."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.scenario import JOB, ROWS, Scenario, data_benchmark
from tests.recipes import RECIPES, documents

HALF_IS_RIGHT = {"passed": 0.4, "failed": 0.7}
"""Minimum of the score by the verdict of a run, of whose two rows one is right."""


@pytest.fixture
def workspace(scenario: Scenario, tmp_path: Path) -> Path:
    """A checkout in which evaluation.yaml is still to be written, and a kubectl."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nexec {" ".join(scenario.cluster.kubectl_command)} "$@"\n')
    kubectl.chmod(0o755)
    scenario.apply(data_benchmark())
    return tmp_path


def evaluation(minimum: float) -> str:
    """The run of the recipe, of a benchmark that needs no model."""
    (run,) = documents("evaluation.yaml")
    spec = run["spec"]
    del spec["model"]
    spec |= {"benchmarkRef": {"name": "rows"}, "target": {"type": "rows", "rows": ROWS}}
    spec["gate"]["criteria"] = [{"score": "rows/exact/string-check", "minimum": minimum, "maxDrop": 0.02}]
    return yaml.safe_dump(run)


def kubeconfig_of_ci(scenario: Scenario) -> str:
    """Create the account; returns its kubeconfig, whose context names the namespace."""
    scenario.kubectl("apply", "-f", str(RECIPES / "ci-rbac.yaml"))
    path = scenario.cluster.service_account_kubeconfig(scenario.namespace, "nemo-eval-ci")
    config = yaml.safe_load(path.read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = scenario.namespace
    return yaml.safe_dump(config)


def bash(workspace: Path, script: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    path = f"{workspace}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/bash", "-eo", "pipefail", "-c", script],
        cwd=workspace,
        env={**os.environ, "PATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def github_job(workspace: Path, kubeconfig: str) -> list[int]:
    """Run the steps as a runner does, but the installation; returns the exit code of each."""
    (job,) = yaml.safe_load((RECIPES / "github-actions.yml").read_text())["jobs"].values()
    files = {name: workspace / name for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
    env = {name: str(file) for name, file in files.items()} | {"RUNNER_TEMP": str(workspace)}
    for file in files.values():
        file.touch()
    known = {"secrets.NEMO_EVAL_KUBECONFIG": kubeconfig}
    codes = []
    for step in job["steps"]:
        if "run" in step and "pipx" not in step["run"]:
            given = {
                name: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: known[found[1]], value)
                for name, value in step.get("env", {}).items()
            }
            codes.append(bash(workspace, step["run"], env | given).returncode)
        env |= dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
        for line in files["GITHUB_OUTPUT"].read_text().splitlines():
            known["steps.start.outputs." + line.split("=", 1)[0]] = line.split("=", 1)[1]
    return codes


def runs_of(scenario: Scenario) -> list[str]:
    return scenario.kubectl("get", JOB, "-o", "name").split()


@pytest.mark.parametrize("verdict", HALF_IS_RIGHT)
def test_the_github_workflow_ends_with_the_verdict_and_shows_the_report(
    scenario: Scenario, workspace: Path, verdict: str
) -> None:
    (workspace / "evaluation.yaml").write_text(evaluation(HALF_IS_RIGHT[verdict]))

    kubeconfig, start, wait, report = github_job(workspace, kubeconfig_of_ci(scenario))

    assert (kubeconfig, start, report) == (0, 0, 0)
    assert wait == (0 if verdict == "passed" else 1)
    (run,) = runs_of(scenario)
    summary = (workspace / "GITHUB_STEP_SUMMARY").read_text()
    assert run.rpartition("/")[2] in summary
    assert verdict in summary.lower()


@pytest.mark.parametrize("verdict", HALF_IS_RIGHT)
def test_the_gitlab_job_ends_with_the_verdict_and_keeps_the_report(
    scenario: Scenario, workspace: Path, verdict: str
) -> None:
    (workspace / "evaluation.yaml").write_text(evaluation(HALF_IS_RIGHT[verdict]))
    (workspace / "kubeconfig").write_text(kubeconfig_of_ci(scenario))
    job: dict[str, Any] = yaml.safe_load((RECIPES / "gitlab-ci.yml").read_text())["evaluate"]

    done = bash(workspace, "\n".join(job["script"]), {"KUBECONFIG": str(workspace / "kubeconfig")})

    assert done.returncode == (0 if verdict == "passed" else 1), done.stderr
    (run,) = runs_of(scenario)
    (report,) = job["artifacts"]["paths"]
    assert run.rpartition("/")[2] in (workspace / report).read_text()
