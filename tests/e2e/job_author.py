"""An account that may create jobs in its namespace and nothing else: it may not read a Secret there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.e2e.scenario import Scenario

__all__ = ["JobAuthor"]

ACCOUNT = "tenant"

KINDS = ("nemobenchmarks", "nemoevaljobs")


class JobAuthor:
    """A ServiceAccount of `world`'s namespace with all rights on `kinds` there and no other right."""

    def __init__(self, scenario: Scenario, *, kinds: Sequence[str] = KINDS) -> None:
        rules = [{"apiGroups": ["evaluator.nemo.dev"], "resources": [*kinds], "verbs": ["*"]}]
        kubeconfig = scenario.cluster.create_account(scenario.namespace, ACCOUNT, rules)
        self.scenario = replace(scenario, cluster=replace(scenario.cluster, kubeconfig=kubeconfig))

    def create(self, *manifests: dict[str, Any]) -> None:
        for manifest in manifests:
            self.scenario.kubectl("create", "-f", "-", input=json.dumps(manifest))

    def refused(self, *args: str, manifest: dict[str, Any] | None = None) -> str:
        """What kubectl prints about a request that the API server refuses."""
        given = None if manifest is None else json.dumps(manifest)
        result = self.scenario.cluster.kubectl(
            "--namespace", self.scenario.namespace, *args, input=given, check=False
        )
        assert result.returncode != 0, f"not refused: {args} {result.stdout}"
        return result.stderr
