"""Every manifest in README and docs is one that the API server takes."""

import json

import pytest
import yaml

from testbed.cluster import Cluster
from tests.pages import GROUP, PAGES, Block, blocks, manifests

YAML = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]
MANIFESTS = [block for block in YAML if manifests(block)]

FOREIGN = ("kustomize.toolkit.fluxcd.io/", "source.toolkit.fluxcd.io/", "argoproj.io/")
"""API groups of Flux and Argo CD, whose CRDs the tests' API server does not serve."""


def test_pages_have_manifests() -> None:
    kinds = {manifest["kind"] for block in MANIFESTS for manifest in manifests(block)}
    assert {"NemoBenchmark", "NemoEvalJob", "NemoEvaluatorConnection"} <= kinds


@pytest.mark.parametrize("block", YAML, ids=str)
def test_yaml_is_well_formed(block: Block) -> None:
    assert list(yaml.safe_load_all(block.text))


@pytest.mark.usefixtures("crds")
@pytest.mark.parametrize("block", MANIFESTS, ids=str)
def test_the_api_server_takes_every_manifest(cluster: Cluster, namespace: str, block: Block) -> None:
    for manifest in manifests(block):
        if manifest["apiVersion"].startswith(FOREIGN):
            continue
        assert manifest["apiVersion"].startswith(GROUP) or "/" not in manifest["apiVersion"]
        metadata = {**manifest["metadata"], "namespace": namespace}
        applied = cluster.kubectl(
            "apply",
            "--dry-run=server",
            "--server-side",
            "--validate=strict",
            "-f",
            "-",
            input=json.dumps({**manifest, "metadata": metadata}),
            check=False,
        )

        assert applied.stderr == ""
        assert applied.stdout.endswith("serverside-applied (server dry run)\n")
