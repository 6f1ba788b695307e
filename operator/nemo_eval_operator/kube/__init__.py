"""Client of the Kubernetes API for everything except watching. Independent of the evaluator."""

from .client import KubeClient, Secret
from .config import (
    CredentialPluginFailed,
    Credentials,
    KubeConfigMissing,
    http_client,
    httpx_client,
    pod_namespace,
    tls_context,
)
from .config_maps import ConfigMap, OwnerReference
from .deployments import Deployment, DeploymentClient
from .errors import (
    KubeError,
    KubeForbidden,
    KubeRefused,
    KubeUnanswered,
    KubeUnauthorized,
    KubeUnavailable,
    ObjectGone,
    ObjectTooLarge,
    Outdated,
)
from .http import KubeHttp, OverHttpx
from .keys import AnyResource, ObjectKey, key_of, named
from .leases import Lease, LeaseClient, LeaseSpec
from .no_answer import NoAnswerKind
from .user_client import CoreEvent, UserClient

__all__ = [
    "AnyResource",
    "ConfigMap",
    "CoreEvent",
    "CredentialPluginFailed",
    "Credentials",
    "Deployment",
    "DeploymentClient",
    "KubeClient",
    "KubeConfigMissing",
    "KubeError",
    "KubeForbidden",
    "KubeHttp",
    "KubeRefused",
    "KubeUnanswered",
    "KubeUnauthorized",
    "KubeUnavailable",
    "Lease",
    "LeaseClient",
    "LeaseSpec",
    "NoAnswerKind",
    "ObjectGone",
    "ObjectKey",
    "ObjectTooLarge",
    "Outdated",
    "OverHttpx",
    "OwnerReference",
    "Secret",
    "UserClient",
    "http_client",
    "httpx_client",
    "key_of",
    "named",
    "pod_namespace",
    "tls_context",
]
