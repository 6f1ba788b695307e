"""`make kind-demo`: the demo with the operator as users install it, its image in a pod of a kind cluster.

Builds the image, creates a cluster, loads the image into it, applies deploy/install.yaml, and goes on as
testbed/demo.py does. Model and evaluator are processes of this machine, which the pod reaches by the gateway
of kind's network. The cluster is deleted at the end.
"""

import contextlib
import copy
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from testbed.cluster import Cluster, prepare, start_cluster
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
from testbed.image import build_image
from testbed.kind import host_address, load_image, why_not_kind
from testbed.processes import Processes
from testbed.stack import start_evaluator

__all__ = ["image_of", "with_evaluator"]

_INSTALL: Final = Path(__file__).parent.parent / "deploy" / "install.yaml"
_NAMESPACE: Final = "nemo-eval-system"
_EVALUATOR: Final = "NVIDIA_EVALUATOR_URL"


@contextlib.contextmanager
def kind_stack(processes: Processes, workdir: Path) -> Iterator[Stack]:
    """The operator in a pod, all else on this machine."""
    if reason := why_not_kind():
        raise DemoError(reason)
    if "NEMO_TEST_KUBECONFIG" in os.environ:
        raise DemoError("it makes a cluster of its own: unset NEMO_TEST_KUBECONFIG.")
    manifests = list(yaml.safe_load_all(_INSTALL.read_text()))
    image = image_of(manifests)
    build_image("docker", image, log=workdir / "image.log")
    prepare()
    with start_cluster(processes, workdir / "cluster") as administered:
        ready(administered.description)
        load_image(image)
        ready(f"image {image} in the cluster")
        limit()
        model = served_model(processes, workdir)
        host = host_address()
        url = start_evaluator(
            processes,
            workdir,
            datasets=SAMPLES / "data",
            models={model.model_id: model},
            host=host.listen,
            called=[host.from_pods],
        )
        ready(f"local NeMo Evaluator at {url}")
        _install(administered, with_evaluator(manifests, url.replace(host.listen, host.from_pods)))
        follow_log(processes, administered, workdir, namespace=_NAMESPACE)
        ready("nemo-eval-operator, in a pod")
        with demo_namespace(administered) as cluster:
            yield Stack(processes, cluster, url, model)


def image_of(manifests: Sequence[dict[str, Any]]) -> str:
    """The image of the operator's Deployment."""
    return str(_container(manifests)["image"])


def with_evaluator(manifests: Sequence[dict[str, Any]], url: str) -> Sequence[dict[str, Any]]:
    """MANIFESTS with the evaluator at URL, changed as the README describes."""
    manifests = copy.deepcopy(manifests)
    (variable,) = (entry for entry in _container(manifests)["env"] if entry["name"] == _EVALUATOR)
    variable["value"] = url
    return manifests


def _container(manifests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    (deployment,) = (document for document in manifests if document and document["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def _install(cluster: Cluster, manifests: Sequence[dict[str, Any]]) -> None:
    print("$ kubectl apply --server-side -f deploy/install.yaml", flush=True)
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(manifests))
    rollout = ["rollout", "status", OPERATOR, "--namespace", _NAMESPACE, "--timeout=120s"]
    if cluster.kubectl(*rollout, check=False, timeout=150).returncode != 0:
        pods = cluster.kubectl("describe", "pods", "--namespace", _NAMESPACE).stdout
        msg = f"the operator's pod does not become ready:\n{pods}"
        raise DemoError(msg)


if __name__ == "__main__":
    try:
        sys.exit(main(kind_stack))
    except KeyboardInterrupt:  # a second one, while everything was being stopped
        sys.exit(130)
