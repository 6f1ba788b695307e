"""What `pip install .` gives in an empty environment: the operator, and nothing of the local evaluator."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a new environment with a copy of the project installed, without extras."""
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "uv is what `make test` runs by"
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("environment") / "venv"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "operator", source / "operator")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(target)], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", str(target / "bin" / "python"), str(source)]
    subprocess.run(install, check=True)
    return target / "bin"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_operator_starts(environment: Path) -> None:
    assert run(environment / "nemo-eval-operator", "version").stdout.strip()
    assert "--evaluator-url" in run(environment / "nemo-eval-operator", "run", "--help").stdout


def test_without_a_cluster_it_says_what_is_missing(environment: Path, tmp_path: Path) -> None:
    result = run(environment / "nemo-eval-operator", "run", "--kubeconfig", tmp_path / "none")

    assert result.returncode == 2
    assert "no way to the Kubernetes API" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_local_evaluators_dependencies_are_an_extra(environment: Path) -> None:
    result = run(environment / "nemo-local-evaluator", "--help")

    assert result.returncode != 0
    assert "nemo-eval-operator[local-evaluator]" in result.stderr
    assert "Traceback" not in result.stderr
