"""A Service of the cluster whose server is a program of this machine."""

import json
from typing import Any

from testbed.node.node import Node

__all__ = ["expose"]


def expose(node: Node, url: str, *, namespace: str, name: str, port: int) -> None:
    """Create a Service in a new namespace that leads to `url`, a server on this machine's loopback."""
    node.forward(port, to=url)
    network, meta = node.layout.network, {"name": name, "namespace": namespace}
    service: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"ports": [{"name": "http", "port": port}]},
    }
    # Without a selector, the endpoints are what is said here: the node itself.
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**meta, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv6" if network.is_ipv6 else "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [network.node], "conditions": {"ready": True}}],
    }
    node.cluster.kubectl("create", "namespace", namespace)
    for manifest in (service, endpoints):
        node.cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
