"""The Kubernetes API, as far as Kopf does not speak it for us. Knows nothing of the evaluator."""

from .client import KubeClient, ObjectKey, OwnerReference, Secret
from .config import Credentials, KubeConfigMissing, http_client
from .errors import KubeError, KubeRefused, KubeUnavailable, ObjectGone, Outdated

__all__ = [
    "Credentials",
    "KubeClient",
    "KubeConfigMissing",
    "KubeError",
    "KubeRefused",
    "KubeUnavailable",
    "ObjectGone",
    "ObjectKey",
    "Outdated",
    "OwnerReference",
    "Secret",
    "http_client",
]
