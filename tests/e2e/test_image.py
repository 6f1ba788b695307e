"""The image, built and run as a cluster runs it, where Docker or Podman answers and can pull its base."""

import json
import os
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from testbed.cluster import Cluster
from testbed.image import ENGINES, build_image, container_engine, has_base
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.e2e.scenario import Scenario, data_benchmark, data_job, eventually

ROOT = Path(__file__).parents[2]
LARGEST_IMAGE = 120_000_000  # bytes, uncompressed; a pull is a third of it
# As deploy/install.yaml has it.
RESTRICTED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@dataclass(frozen=True)
class Image:
    """The image under test, and the engine that has it."""

    engine: str
    name: str

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.engine, *arguments], capture_output=True, text=True, check=False, timeout=120
        )

    def running(self, *options: str) -> Sequence[str]:
        """The words that start a container with the operator's own arguments behind them."""
        return [self.engine, "run", "--rm", *RESTRICTED, *options, self.name]

    def run(self, *arguments: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        return self.call(*self.running(*options)[1:], *arguments)

    def inspect(self) -> dict[str, Any]:
        (found,) = json.loads(self.call("image", "inspect", self.name).stdout)
        return dict(found)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if (engine := container_engine()) is None:
        pytest.skip(f"no engine answers: {' or '.join(ENGINES)}")
    if not has_base(engine):
        pytest.skip(f"{engine} has no base image and cannot pull it")
    image = Image(engine, f"nemo-eval-operator:test-{os.getpid()}")
    build_image(engine, image.name, log=tmp_path_factory.mktemp("image") / "build.log")
    yield image
    image.call("image", "rm", "--force", image.name)


def test_it_is_small(image: Image) -> None:
    assert image.inspect()["Size"] < LARGEST_IMAGE


def test_it_says_what_it_is_and_who_runs_it(image: Image) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    found = image.inspect()

    config = {"Healthcheck": found.get("Healthcheck"), **found["Config"]}  # Podman's own place, and Docker's
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["nemo-eval-operator"]
    assert config["Cmd"] == ["run"]
    assert config["Healthcheck"]["Test"] == ["CMD", "nemo-eval-operator", "health"]
    assert config["Labels"]["org.opencontainers.image.version"] == project["version"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == project["license"]


def test_it_starts_on_a_read_only_root_without_capabilities(image: Image) -> None:
    shown = image.run("--help")

    assert shown.returncode == 0, shown.stderr
    assert "Evaluate models on benchmarks" in shown.stdout


def test_it_has_no_shell_and_says_so_by_failing(image: Image) -> None:
    assert image.run("-c", "true", options=["--entrypoint", "/bin/sh"]).returncode in {126, 127}


def test_scanners_find_its_packages(image: Image) -> None:
    script = "import os; print(*os.listdir('/var/lib/dpkg/status.d'))"

    listed = image.run("-c", script, options=["--entrypoint", "python"]).stdout.split()

    assert {"libc6", "libssl3t64", "zlib1g"} <= {*listed}


def test_without_a_cluster_it_says_what_is_missing(image: Image) -> None:
    result = image.run("run")

    assert result.returncode == 2
    assert "no way to the Kubernetes API" in result.stderr


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere a container is in another machine")
def test_it_does_the_operators_work(
    image: Image, cluster: Cluster, crds: None, namespace: str, evaluator_url: str, tmp_path: Path
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    name = f"operator-{namespace}"
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(cluster.kubectl("config", "view", "--raw", "--flatten", "--minify").stdout)
    kubeconfig.chmod(0o644)  # for the image's user, which is another one
    options = ["--name", name, "--network", "host", "--volume", f"{kubeconfig}:{kubeconfig}:ro"]
    # The client writes a kubeconfig's certificates down; a service account's are files already.
    options += ["--tmpfs", "/tmp", "--env", "NEMO_POLL_INTERVAL_SECONDS"]  # noqa: S108
    with Processes() as processes:
        health_url = start_operator(
            processes,
            tmp_path,
            kubeconfig=kubeconfig,
            evaluator_url=evaluator_url,
            namespaces=[namespace],
            command=image.running(*options),
        )
        scenario.apply(data_benchmark(), data_job("contained"))
        scenario.until_phase("contained", "Succeeded")
        port = str(httpx.URL(health_url).port)
        health = image.call("exec", name, "nemo-eval-operator", "health", "--port", port)
        processes.check()
    eventually(lambda: name not in image.call("ps", "--all").stdout, "the container ends with its client")

    assert (health.returncode, health.stdout) == (0, "healthy\n")
