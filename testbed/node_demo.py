"""`make node-demo`: the demo in pods, on a Kubernetes node of this machine that needs no container engine.

Builds the operator's image, starts a node (testbed.node) and installs the chart into it with Helm. Model and
evaluator are processes of this machine, which pods reach by a Service. The node ends with the demo.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from testbed.chart import CHART, helm, helm_homes
from testbed.demo import main
from testbed.demo_stack import (
    OPERATOR,
    SAMPLES,
    DemoError,
    Stack,
    demo_namespace,
    follow_log,
    limit,
    ready,
    served_model,
)
from testbed.helm import helm_command
from testbed.image_archive import image_archive
from testbed.node import Node, expose, start_node, why_not_node
from testbed.processes import Processes
from testbed.stack import start_evaluator

_NAMESPACE: Final = "nemo-eval-system"
_TAG: Final = "demo"
_EVALUATOR: Final = ("nemo", "nemo-evaluator", 7331)
"""Namespace, name and port of the Service that the chart's default URL names."""


@contextlib.contextmanager
def node_stack(processes: Processes, workdir: Path) -> Iterator[Stack]:
    """The operator in a pod, model and evaluator on this machine."""
    if reason := why_not_node():
        raise DemoError(reason)
    helm_command()
    image = image_archive("operator", reference=f"docker.io/library/nemo-eval-operator:{_TAG}")
    with start_node(processes, workdir / "node", images=[image]) as node:
        ready(node.cluster.description)
        limit()
        model = served_model(processes, workdir)
        namespace, name, port = _EVALUATOR
        url = start_evaluator(
            processes,
            workdir,
            datasets=SAMPLES / "data",
            models={model.model_id: model},
            called=[f"{name}.{namespace}.svc"],
        )
        expose(node, url, namespace=namespace, name=name, port=port)
        ready(f"local NeMo Evaluator at {url}, and in the cluster as {name}.{namespace}.svc:{port}")
        _install(node, workdir)
        follow_log(processes, node.cluster, workdir, namespace=_NAMESPACE)
        ready(f"nemo-eval-operator, {OPERATOR}")
        with demo_namespace(node.cluster) as cluster:
            yield Stack(processes, cluster, url, model)


def _install(node: Node, workdir: Path) -> None:
    """Install the chart, and show the pods."""
    values = [f"image.tag={_TAG}", "settings.pollIntervalSeconds=1", "minReadySeconds=2"]
    options = [option for value in values for option in ("--set", value)]
    where = ["--namespace", _NAMESPACE, "--create-namespace"]
    print(
        f"$ helm install nemo-eval-operator deploy/chart {' '.join([*where, '--wait', *options])}", flush=True
    )
    env = {"KUBECONFIG": str(node.cluster.kubeconfig), **helm_homes(workdir / "helm")}
    install = ["install", "nemo-eval-operator", str(CHART), *where, "--wait", "--timeout", "120s", *options]
    helm(*install, env=env, timeout=150)
    print("$ kubectl get pods --all-namespaces", flush=True)
    print(node.cluster.kubectl("get", "pods", "--all-namespaces").stdout, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(node_stack))
    except KeyboardInterrupt:  # a second one, while everything was being stopped
        sys.exit(130)
