"""One operator and one evaluator for all bad manifests: each is reported, and none delays a valid one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from testbed.processes import Child, Processes
from testbed.stack import start_operator
from tests.corpus.manifests import MANIFESTS, Manifest
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, data_benchmark, data_job, eventually

MAX_MEMORY_MIB = 400
"""Of the operator's, which starts at about 100; its pod may have 512."""


SEPARATOR = "|||"
VERDICT = f"{{.status.conditions[0].reason}}{SEPARATOR}{{.status.message}}"


@pytest.fixture
def operator_process(
    cluster: Cluster, crds: None, namespace: str, evaluator_url: str, tmp_path: Path
) -> Iterator[Child]:
    with Processes() as processes:
        start_operator(
            processes,
            tmp_path,
            kubeconfig=cluster.kubeconfig,
            evaluator_url=evaluator_url,
            namespaces=[namespace],
        )
        yield next(iter(processes))
        processes.check()


def peak_memory_mib(process: Child) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


def test_each_bad_manifest_is_refused_or_reported_and_a_good_one_succeeds(
    cluster: Cluster, namespace: str, evaluator_url: str, operator_process: Child
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    hub = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {"token": "hf_x"}}
    scenario.apply(hub)
    surprises = []
    for manifest in MANIFESTS:
        said = scenario.kubectl("create", "-f", "-", input=manifest.text, check=False)
        taken = "created" in said
        if taken is not (manifest.reason is not None) or (
            manifest.reason is None and manifest.said not in said
        ):
            surprises.append(f"{manifest.name}: {said[:500]}")

    reported = [manifest for manifest in MANIFESTS if manifest.reason is not None]
    for number, manifest in enumerate(reported):
        kind = BENCHMARK if manifest.kind == "NemoBenchmark" else JOB

        def verdict(kind: str = kind, name: str = f"reported-{number}") -> list[str]:
            # Not the whole object: it may be too deep for our own JSON parser.
            return scenario.kubectl("get", kind, name, "-o", f"jsonpath={VERDICT}").split(SEPARATOR)

        def is_reported(manifest: Manifest = manifest) -> bool:
            reason, message = verdict()
            return reason == manifest.reason and manifest.said in message

        try:
            eventually(is_reported, manifest.name, seconds=20)
        except AssertionError:
            surprises.append(f"{manifest.name}: {verdict()}")
    assert not surprises, "\n".join(surprises)

    scenario.apply(data_benchmark(), data_job("healthy"))
    scenario.until_phase("healthy", "Succeeded")
    assert operator_process.exit_code() is None
    assert peak_memory_mib(operator_process) < MAX_MEMORY_MIB
    names = [f"reported-{number}" for number in range(len(reported))]
    scenario.kubectl("delete", f"{JOB},{BENCHMARK}", *names, "--ignore-not-found", "--timeout=60s")
