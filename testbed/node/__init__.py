"""A real Kubernetes node on this machine: kubelet, container runtime and network in namespaces of their own.

Where no container engine or cluster is at hand, tests and `make node-demo` install the chart into it.
"""

from testbed.node.node import Node, start_node
from testbed.node.obstacles import why_not_node
from testbed.node.service import expose

__all__ = ["Node", "expose", "start_node", "why_not_node"]
