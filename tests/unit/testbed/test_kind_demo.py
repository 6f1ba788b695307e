"""`make kind-demo`, as far as it goes without Docker: what it asks kind and docker, and what it installs."""

from pathlib import Path

import pytest
import yaml

from testbed.image import base_of, build_image
from testbed.kind import HostAddress, host_address, kind_cluster, load_image
from testbed.kind_demo import image_of, with_evaluator
from testbed.processes import ProcessError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins on PATH that write down how they are called; kind fails to load one image."""
    called = tmp_path / "called"
    called.touch()
    for name in ("kind", "docker", "podman"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f"#!/bin/sh\necho {name} $* >> {called}\n"
            'case "$*" in *missing*) echo no such image >&2; exit 1;; esac\n'
            'case "$*" in *network*) echo "fc00:f853:ccd::1 172.18.0.1";; esac\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return called


def test_a_cluster_is_made_given_the_image_and_deleted(commands: Path, tmp_path: Path) -> None:
    with kind_cluster(tmp_path) as kubeconfig:
        load_image("nemo-eval-operator:0.1.0")

    created, loaded, deleted = commands.read_text().splitlines()
    name = created.split()[created.split().index("--name") + 1]
    assert created == f"kind create cluster --wait 180s --name {name} --kubeconfig {kubeconfig}"
    assert loaded == f"kind load docker-image nemo-eval-operator:0.1.0 --name {name}"
    assert deleted == f"kind delete cluster --name {name} --kubeconfig {kubeconfig}"


def test_a_cluster_is_deleted_too_when_something_fails(commands: Path, tmp_path: Path) -> None:
    problem = r"kind load docker-image missing(?s:.)*no such image"
    with pytest.raises(ProcessError, match=problem), kind_cluster(tmp_path):
        load_image("missing")

    assert commands.read_text().splitlines()[-1].startswith("kind delete cluster")


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere Docker Desktop has a name for it")
def test_pods_reach_this_machine_by_the_gateway_of_their_network(commands: Path) -> None:
    assert host_address() == HostAddress(listen="172.18.0.1", from_pods="172.18.0.1")


def test_a_network_without_ipv4_is_reported() -> None:
    with pytest.raises(ProcessError, match="no IPv4 gateway"):
        HostAddress.of_network("fc00:f853:ccd::1 ")


@pytest.mark.parametrize(("engine", "options"), [("docker", ""), ("podman", " --format docker")])
def test_the_image_is_built_with_its_healthcheck(
    commands: Path, tmp_path: Path, engine: str, options: str
) -> None:
    build_image(engine, "nemo-eval-operator:0.1.0", log=tmp_path / "log")

    assert commands.read_text() == f"{engine} build --tag nemo-eval-operator:0.1.0{options} {ROOT}\n"


def test_what_is_installed_is_the_manifest_of_users_with_another_evaluator() -> None:
    manifests = list(yaml.safe_load_all((ROOT / "deploy" / "install.yaml").read_text()))

    changed = with_evaluator(manifests, "http://172.18.0.1:7331")

    assert image_of(manifests) == "nemo-eval-operator:0.1.0"
    assert "http://172.18.0.1:7331" in yaml.safe_dump_all(changed)
    ours, theirs = (yaml.safe_dump_all(documents).splitlines() for documents in (changed, manifests))
    assert len(set(ours) - set(theirs)) == 1


def test_the_base_is_named_by_its_patch_version_and_its_registry() -> None:
    registry, _, tagged = base_of((ROOT / "Dockerfile").read_text()).partition("/library/python:")

    assert registry == "docker.io"
    assert tagged.count(".") == 2
    with pytest.raises(ProcessError, match="no ARG BASE"):
        base_of("FROM scratch")
