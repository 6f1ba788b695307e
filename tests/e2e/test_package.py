"""What the image has in it, without Docker: the wheel, its locked runtime dependencies, less what is pruned.

An empty environment is filled as the Dockerfile fills its own, so whatever is missing is missing here too.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from testbed.cluster import Cluster
from testbed.processes import Processes, Program, free_port, http_ready
from testbed.stack import start_operator
from tests.e2e.scenario import Scenario, data_benchmark, data_job, eventually

ROOT = Path(__file__).parents[2]
OPERATOR = ROOT / "operator" / "nemo_eval_operator"
ROOTFS = ROOT / "deploy" / "image" / "rootfs.py"
MEGABYTE = 1_000_000
# The image has to stay below 120 MB, and 50 of them are Python's and the C library's.
LARGEST_ENVIRONMENT = 70 * MEGABYTE
# What a test compiles would be counted as part of the image.
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    path: Path

    @property
    def bin(self) -> Path:
        return self.path / "bin"

    def run(self, *command: str | Path, check: bool = False) -> subprocess.CompletedProcess[str]:
        """One of its commands, elsewhere than in the source tree, with nothing else on PATH or to import."""
        result = subprocess.run(
            [self.bin / command[0], *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=self.path,
            env=NO_BYTECODE,
        )
        assert not check or result.returncode == 0, result.stderr
        return result

    def distributions(self) -> set[str]:
        script = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
        return {normalised(name) for name in self.run("python", "-c", script, check=True).stdout.split()}


def uv(*arguments: str | Path) -> None:
    program = os.environ.get("UV") or shutil.which("uv")
    assert program, "uv is what `make test` runs by"
    done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    work = tmp_path_factory.mktemp("package")
    environment = Environment(work / "venv")
    requirements, python = work / "requirements.txt", environment.bin / "python"
    uv("build", "--quiet", "--wheel", "--out-dir", work)
    (wheel,) = work.glob("*.whl")
    uv("export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--output-file", requirements)
    uv("venv", "--quiet", "--python", sys.executable, environment.path)
    uv("pip", "install", "--quiet", "--python", python, "--require-hashes", "--requirements", requirements)
    uv("pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    uv("pip", "check", "--quiet", "--python", python)
    subprocess.run([sys.executable, ROOTFS, "prune", "operator", environment.path], check=True)
    return environment


@pytest.fixture
def dead_api_server(tmp_path: Path) -> Path:
    """The kubeconfig of a server that is not there."""
    kubeconfig = tmp_path / "kubeconfig"
    config = {
        "clusters": [{"name": "dead", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}],
        "contexts": [{"name": "dead", "context": {"cluster": "dead", "user": "me"}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "current-context": "dead",
    }
    kubeconfig.write_text(json.dumps(config))
    return kubeconfig


def test_the_commands_answer(environment: Environment) -> None:
    assert environment.run("nemo-eval-operator", "version").stdout == f"{project()['version']}\n"
    assert "Evaluate models on benchmarks" in environment.run("nemo-eval-operator", "--help").stdout
    assert "--evaluator-url" in environment.run("nemo-eval-operator", "run", "--help").stdout


def test_every_module_can_be_imported(environment: Environment) -> None:
    assert_all_imported(environment, OPERATOR)


def test_the_oldest_versions_of_the_dependencies_that_are_allowed_suffice(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv")
    uv("venv", "--quiet", "--python", sys.executable, environment.path)
    installing = ("pip", "install", "--quiet", "--python", environment.bin / "python")
    uv(*installing, "--resolution", "lowest-direct", f"{ROOT}[plugin]", ROOT / "local-evaluator")

    assert_all_imported(environment, OPERATOR)
    assert_all_imported(environment, ROOT / "local-evaluator" / "nemo_local_evaluator")
    for command in ("nemo-eval-operator", "kubectl-nemoeval", "nemo-local-evaluator"):
        assert "Usage" in environment.run(command, "--help", check=True).stdout


def assert_all_imported(environment: Environment, package: Path) -> None:
    script = (
        f"import importlib, pkgutil, {package.name} as package\n"
        f"names = [m.name for m in pkgutil.walk_packages(package.__path__, '{package.name}.')]\n"
        "print(*(importlib.import_module(n).__name__ for n in names if not n.endswith('__main__')))"
    )

    imported = environment.run("python", "-c", script, check=True).stdout.split()

    sources = {path for path in package.rglob("*.py") if path.name != "__main__.py"}
    assert len(imported) == len(sources) - 1, "all but the package itself"


def test_no_api_class_of_the_kubernetes_client_is_used() -> None:
    """The image does not have them."""
    sources = (ROOT / "operator" / "nemo_eval_operator").rglob("*.py")

    assert [name for path in sources for name in re.findall(r"\b[A-Z]\w+Api\b", path.read_text())] == []


def test_nothing_of_development_or_of_the_local_evaluator_is_there(environment: Environment) -> None:
    evaluator = tomllib.loads((ROOT / "local-evaluator" / "pyproject.toml").read_text())["project"]
    groups = [pyproject()["dependency-groups"]["dev"], evaluator["dependencies"]]
    named = {normalised(re.split(r"[^\w.-]", line)[0]) for group in groups for line in group}
    # What the operator needs too, by way of its own dependencies.
    shared = {"h11", "httpx", "pydantic", "pyyaml", "rich", "typer", "typing-extensions"}

    installed = environment.distributions()

    assert installed & named == shared
    assert not installed & {"pip", "setuptools", "uv"}


def test_without_a_cluster_it_says_what_is_missing(environment: Environment, tmp_path: Path) -> None:
    result = environment.run("nemo-eval-operator", "run", "--kubeconfig", tmp_path / "none")

    assert result.returncode == 2
    assert "no way to the Kubernetes API" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_dead_api_server_is_named_and_waited_for(
    environment: Environment, dead_api_server: Path, tmp_path: Path
) -> None:
    server = json.loads(dead_api_server.read_text())["clusters"][0]["cluster"]["server"]
    port, log = free_port(), tmp_path / "operator.log"
    argv = [str(environment.bin / "nemo-eval-operator"), "run", "--kubeconfig", str(dead_api_server)]
    argv += ["--health-port", str(port)]
    alive = http_ready(f"http://127.0.0.1:{port}/healthz")
    with Processes() as processes:
        operator = processes.start(Program("operator", argv, log=log, ready=alive))
        message = f"waiting for the Kubernetes API at {server}: "
        eventually(lambda: message in log.read_text(), "the log says what it waits for")
        ready = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
        operator.terminate()
        code = operator.wait(10)

    assert (ready.status_code, ready.json()) == (503, {"state": "starting"})
    assert code == 0
    assert "apply crds/" not in log.read_text(), "it is not known yet whether they are missing"
    assert "Traceback" not in log.read_text()


# OpenShift gives each namespace's pods a user id of their own, which no passwd file knows.
ARBITRARY_USER = ("unshare", "--user", "--map-user=1000650000", "--map-group=0")


@pytest.mark.parametrize("prefix", [(), ARBITRARY_USER], ids=["user", "user without a name"])
def test_it_does_the_operators_work(
    environment: Environment,
    cluster: Cluster,
    crds: None,
    namespace: str,
    evaluator_url: str,
    tmp_path: Path,
    prefix: tuple[str, ...],
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    with Processes() as processes:
        start_operator(
            processes,
            tmp_path,
            kubeconfig=cluster.kubeconfig,
            evaluator_url=evaluator_url,
            namespaces=[namespace],
            env=NO_BYTECODE | dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), ""),
            command=[*prefix, str(environment.bin / "nemo-eval-operator")],
        )
        scenario.apply(data_benchmark(), data_job("packaged"))
        scenario.until_phase("packaged", "Succeeded")
        processes.check()
    shown = environment.run(
        "nemo-eval-operator", "results", "packaged", "-n", namespace, "--kubeconfig", cluster.kubeconfig
    )

    assert shown.returncode == 0, shown.stderr
    assert scenario.status("nemoevaljob", "packaged")["score"].split("=")[0] in shown.stdout


def test_no_dependency_has_to_be_compiled_on_arm64() -> None:
    """`docker buildx build --platform linux/amd64,linux/arm64`, in a base without compilers."""
    locked = {package["name"]: package for package in lock()["package"]}
    pending, seen = ["nemo-eval-operator"], set[str]()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += [needed["name"] for needed in locked[name].get("dependencies", [])]
    suitable = re.compile(r"(-none-any|cp313-cp313-manylinux\S*_aarch64|abi3-manylinux\S*_aarch64)\.whl$")

    compiled = [
        name
        for name in sorted(seen - {"nemo-eval-operator"})
        if not any(suitable.search(wheel["url"]) for wheel in locked[name].get("wheels", []))
    ]

    assert len(seen) > 30
    assert not compiled


@pytest.mark.skipif(sys.platform != "linux", reason="an image is Linux")
def test_the_file_system_of_the_image(environment: Environment, tmp_path: Path) -> None:
    root = tmp_path / "root"
    subprocess.run(
        [environment.bin / "python", ROOTFS, "assemble", "operator", environment.path, root], check=True
    )

    def inside(*command: str) -> str:
        argv = [*as_root_of(root), environment.bin / command[0], *command[1:]]
        environ = {"PATH": os.environ["PATH"], **NO_BYTECODE}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert inside("nemo-eval-operator", "version") == f"{project()['version']}\n"
    every_extension = (
        "import ctypes, pathlib, sys\n"
        "for prefix in (sys.base_prefix, sys.prefix):\n"
        "    print(len([ctypes.CDLL(path) for path in pathlib.Path(prefix).rglob('*-linux-gnu.so')]))"
    )
    python, packages = inside("python", "-c", every_extension).split()
    assert int(python) > 30
    assert int(packages) > 10
    assert "nonroot:x:65532:65532:" in (root / "etc/passwd").read_text()
    programs = {path.name for path in root.rglob("bin/*") if not path.name.startswith("python")}
    assert programs == {"nemo-eval-operator", "kubectl-nemoeval"}, "no shell, no package manager"
    assert "Wait until runs have ended" in inside("kubectl-nemoeval", "wait", "--help")
    venv = root / environment.path.relative_to("/")
    assert size_of(venv) < LARGEST_ENVIRONMENT, "look what has grown: the image has to stay below 120 MB"
    compiled = {f"{path.parent.parent.name}/{path.name.partition('.')[0]}" for path in venv.rglob("*.pyc")}
    for module in ("cli", "app", "uninstall"):
        assert f"nemo_eval_operator/{module}" in compiled, "a read-only root would compile it at each start"
    assert "api/core_v1_api" not in compiled, "nothing that a start does not import"


def as_root_of(root: Path) -> Iterator[str | Path]:
    """The words that start a command in ROOT."""
    if os.geteuid() != 0:
        yield from ("unshare", "--map-root-user")
    yield from ("chroot", root)


def size_of(directory: Path) -> int:
    return sum(path.lstat().st_size for path in directory.rglob("*"))


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pyproject() -> dict[str, dict[str, dict[str, list[str]]]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def project() -> dict[str, dict[str, list[str]]]:
    return pyproject()["project"]


def lock() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads((ROOT / "uv.lock").read_text())
