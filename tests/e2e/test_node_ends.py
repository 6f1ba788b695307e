"""A node of IPv6 addresses, which ends with the process that started it, in whatever way that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from testbed.image_archive import image_archive
from testbed.node import Node, expose, start_node, why_not_node
from testbed.node.cgroups import HIERARCHIES
from testbed.node.layout import IPV6
from testbed.node.machine import KERNEL_SETTINGS
from testbed.processes import Processes
from testbed.stack import start_evaluator
from tests.e2e.node_release import OPERATOR_IMAGE, Release
from tests.e2e.scenario import Scenario, data_benchmark, data_job, eventually
from tests.uncaptured import uncaptured

pytestmark = [
    pytest.mark.skipif(bool(why_not_node()), reason=why_not_node() or ""),
    pytest.mark.usefixtures("built_helm"),
]

ROOT: Final = Path(__file__).parents[2]
SERVICE: Final = "nemo-evaluator"

STARTS_A_NODE: Final = """
import sys, time
from pathlib import Path
from testbed.node import start_node
from testbed.processes import Processes
with Processes() as processes, start_node(processes, Path(sys.argv[1])) as node:
    print("started", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Node]:
    with contextlib.ExitStack() as stack:
        processes = stack.enter_context(Processes())
        with uncaptured(pytestconfig):
            image = image_archive("operator", reference=OPERATOR_IMAGE)
            directory = tmp_path_factory.mktemp("node")
            yield stack.enter_context(start_node(processes, directory, images=[image], network=IPV6))
        processes.check()


def test_an_evaluation_in_a_cluster_of_ipv6_addresses(node: Node, tmp_path: Path) -> None:
    release = Release(node, tmp_path / "helm")
    node.cluster.kubectl("create", "namespace", release.namespace)
    node.cluster.kubectl("create", "namespace", "evaluated")
    with Processes() as processes:
        url = start_evaluator(processes, tmp_path, datasets=tmp_path, called=[f"{SERVICE}.nemo.svc"])
        expose(node, url, namespace="nemo", name=SERVICE, port=7331)
        release.install()
        scenario = Scenario(node.cluster, "evaluated", url)
        scenario.apply(data_benchmark(), data_job("over-ipv6"))
        scenario.until_phase("over-ipv6", "Succeeded", seconds=60)
    (pod,) = release.pods()
    assert [":" in one["ip"] for one in pod["status"]["podIPs"]] == [True]


def test_a_killed_process_leaves_neither_processes_nor_cgroups(tmp_path: Path) -> None:
    settings = {
        path: path.read_text() for name in KERNEL_SETTINGS if (path := Path("/proc/sys", name)).exists()
    }
    argv = [sys.executable, "-c", STARTS_A_NODE, str(tmp_path / "node")]
    starting = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starting.stdout is not None
    with starting:
        while (line := starting.stdout.readline()) != "started\n":
            assert line, "the node did not start"
        cgroups = [path for path in cgroups_of_nodes() if belongs(path, starting.pid)]
        assert cgroups

        os.kill(starting.pid, signal.SIGKILL)

    eventually(lambda: not any(path.exists() for path in cgroups), "the cgroups are removed")
    # The one that removed them ends a moment later.
    processes = [pid for pid in Path("/proc").glob("[0-9]*") if str(tmp_path) in command_line(pid)]
    eventually(lambda: not any(str(tmp_path) in command_line(pid) for pid in processes), "no process is left")
    assert {path: path.read_text() for path in settings} == settings


def cgroups_of_nodes() -> list[Path]:
    return sorted(HIERARCHIES.glob("*/nemo-node-*"))


def belongs(cgroup: Path, parent: int) -> bool:
    """Whether the node of this cgroup was started by that process."""
    pid = cgroup.name.rpartition("-")[2]
    status = Path("/proc", pid, "status").read_text()
    return f"PPid:\t{parent}\n" in status


def command_line(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "cmdline").read_text()
    return ""
