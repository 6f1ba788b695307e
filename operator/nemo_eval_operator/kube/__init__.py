"""Client of the Kubernetes API for everything except watching. Independent of the evaluator."""

from .client import KubeClient, Secret
from .config import Credentials, KubeConfigMissing, http_client, pod_namespace
from .config_maps import ConfigMap, OwnerReference
from .deployments import DeploymentClient
from .errors import KubeError, KubeRefused, KubeUnavailable, ObjectGone, ObjectTooLarge, Outdated
from .keys import AnyResource, ObjectKey, key_of
from .leases import Lease, LeaseClient, LeaseSpec

__all__ = [
    "AnyResource",
    "ConfigMap",
    "Credentials",
    "DeploymentClient",
    "KubeClient",
    "KubeConfigMissing",
    "KubeError",
    "KubeRefused",
    "KubeUnavailable",
    "Lease",
    "LeaseClient",
    "LeaseSpec",
    "ObjectGone",
    "ObjectKey",
    "ObjectTooLarge",
    "Outdated",
    "OwnerReference",
    "Secret",
    "http_client",
    "key_of",
    "pod_namespace",
]
