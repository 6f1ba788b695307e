"""What the tests of the CRDs ask the API server: would it take this manifest, and this change to it?"""

import json
from dataclasses import dataclass
from typing import Any

from testbed.cluster import Cluster

Manifest = dict[str, Any]

SHORT_NAMES = {"NemoBenchmark": "nbench", "NemoEvalJob": "nejob", "NemoEvaluatorConnection": "nec"}


@dataclass(frozen=True)
class Api:
    """The API server's verdicts on one kind; a verdict is what it objects to, so empty means accepted."""

    cluster: Cluster
    namespace: str
    kind: str

    def manifest(self, spec: object, name: str = "it") -> Manifest:
        return {
            "apiVersion": "evaluator.nemo.dev/v1alpha1",
            "kind": self.kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        }

    def objection_to(self, spec: object) -> str:
        """To creating an object with `spec`; nothing is created."""
        manifest = json.dumps(self.manifest(spec))
        return self.cluster.kubectl(
            "create", "--dry-run=server", "-f", "-", input=manifest, check=False
        ).stderr.strip()

    def objection_to_change(self, before: object, after: object) -> str:
        """To replacing `before` by `after`; the object stays as it was before."""
        self.create(before)
        return self.cluster.kubectl(
            "replace", "--dry-run=server", "-f", "-", input=json.dumps(self.manifest(after)), check=False
        ).stderr.strip()

    def objection_to_patch(self, spec: Manifest, name: str = "it") -> str:
        """To a merge patch of the spec; the object stays as it is."""
        target = ("patch", f"{self.kind}.evaluator.nemo.dev/{name}", "-n", self.namespace)
        patch = ("--dry-run=server", "--type=merge", "-p", json.dumps({"spec": spec}))
        return self.cluster.kubectl(*target, *patch, check=False).stderr.strip()

    def create(self, spec: object, name: str = "it") -> Manifest:
        """The object as the API server keeps it."""
        manifest = json.dumps(self.manifest(spec, name))
        created: Manifest = json.loads(
            self.cluster.kubectl("create", "-o", "json", "-f", "-", input=manifest).stdout
        )
        return created

    def apply(self, spec: object) -> Manifest:
        """Server-side, as the API server then keeps the object."""
        manifest = json.dumps(self.manifest(spec))
        applied: Manifest = json.loads(
            self.cluster.kubectl("apply", "--server-side", "-o", "json", "-f", "-", input=manifest).stdout
        )
        return applied

    def patch_status(self, status: Manifest, name: str = "it") -> Manifest:
        patch = json.dumps({"status": status})
        patched: Manifest = json.loads(
            self.cluster.kubectl(
                "patch",
                f"{self.kind}.evaluator.nemo.dev/{name}",
                "-n",
                self.namespace,
                "--subresource=status",
                "--type=merge",
                "-p",
                patch,
                "-o",
                "json",
            ).stdout
        )
        return patched

    def table(self, *options: str) -> list[list[str]]:
        """`kubectl get` by the short name: the heading, then the objects, cell by cell."""
        short = {"NemoBenchmark": "nbench", "NemoEvalJob": "nejob", "NemoEvaluatorConnection": "nec"}[
            self.kind
        ]
        out = self.cluster.kubectl("get", short, "-n", self.namespace, *options).stdout
        heading, *rows = out.splitlines()
        starts = [heading.index(title) for title in heading.split()]
        ends = [*starts[1:], None]
        return [
            [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
            for line in (heading, *rows)
        ]

    def explain(self, path: str) -> str:
        """`kubectl explain`, with its line breaks undone."""
        out = self.cluster.kubectl("explain", f"{self.kind.lower()}.{path}").stdout
        return " ".join(out.split())
