"""Address of the Kubernetes API, and authentication to it: a pod's service account, else a kubeconfig."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from typing_extensions import override

from nemo_eval_operator.transport import transport_to

__all__ = ["Credentials", "KubeConfigMissing", "http_client", "pod_namespace"]

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Time-outs in seconds. The API server ends a plain request after 60."""

CONNECTIONS: Final = 64
"""Half of what API priority and fairness gives a workload on a small server."""

TOKEN_SECONDS: Final = 5.0
"""Seconds for which a token is used before its source is read again, which costs more than a request. A token
that is refused is replaced at once."""

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Directory in which the kubelet mounts a pod's namespace, token and CA certificate."""


class KubeConfigMissing(Exception):
    """No kubeconfig was given or found, and this is not a pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Address of the Kubernetes API and how to authenticate to it.

    `authorization` returns the value of the Authorization header, or None where a client certificate is used.
    It is called at each use, since tokens are rotated.
    """

    server: str
    authorization: Callable[[], str | None]
    ca_path: str | None = None
    insecure: bool = False
    certificate: tuple[str, str] | None = None
    """Paths of a client certificate and of its key."""

    @classmethod
    def find(cls, kubeconfig: Path | None) -> Credentials:
        """Return those of the kubeconfig, else of the pod, else of $KUBECONFIG or ~/.kube/config.

        Raises KubeConfigMissing.
        """
        if kubeconfig is None and (found := _of_the_pod()):
            return found
        return cls.of_kubeconfig(kubeconfig)

    @classmethod
    def of_kubeconfig(cls, kubeconfig: Path | None, context: str | None = None) -> Credentials:
        """Return those of the kubeconfig, else of $KUBECONFIG or ~/.kube/config. Raises KubeConfigMissing.

        `context` None: its current context.
        """
        # Imported here: the official client takes seconds of CPU, which a pod that starts does not have.
        from .kubeconfig import load_kubeconfig  # noqa: PLC0415

        configuration = load_kubeconfig(kubeconfig, context)
        certificate, key = configuration.cert_file, configuration.key_file

        def authorization() -> str | None:
            for name in ("authorization", "BearerToken"):
                if value := configuration.get_api_key_with_prefix(name):
                    return str(value)
            return None

        return cls(
            server=str(configuration.host),
            authorization=authorization,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            certificate=(certificate, key) if certificate and key else None,
        )


def _of_the_pod() -> Credentials | None:
    """Return the service account's, as Kubernetes documents it ("Accessing the Kubernetes API from a Pod").

    None where this is not a pod, or its service account is not mounted.
    """
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    token, ca = SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt"
    if not (host and port and token.is_file() and ca.is_file()):
        return None
    address = f"[{host}]" if ":" in host else host
    return Credentials(
        server=f"https://{address}:{port}",
        # The kubelet replaces the file before the token expires.
        authorization=lambda: f"Bearer {token.read_text().strip()}",
        ca_path=str(ca),
    )


class _CurrentToken(httpx.Auth):
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._value: str | None = None
        self._stale_at = 0.0

    @override
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        kept = time.monotonic() < self._stale_at
        response = yield self._authorized(request, anew=not kept)
        if kept and response.status_code == httpx.codes.UNAUTHORIZED:
            yield self._authorized(request, anew=True)

    def _authorized(self, request: httpx.Request, *, anew: bool) -> httpx.Request:
        if anew:
            self._value, self._stale_at = self._credentials.authorization(), time.monotonic() + TOKEN_SECONDS
        if self._value:
            request.headers["Authorization"] = self._value
        return request


def http_client(credentials: Credentials) -> httpx.AsyncClient:
    """A client for the API server; it trusts that server's CA and nothing else where one is named."""
    context = ssl.create_default_context(cafile=credentials.ca_path)
    if credentials.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credentials.certificate:
        context.load_cert_chain(*credentials.certificate)
    return httpx.AsyncClient(
        base_url=credentials.server,
        transport=transport_to(credentials.server, context, connections=CONNECTIONS),
        verify=context,
        auth=_CurrentToken(credentials),
        timeout=TIMEOUT,
        limits=httpx.Limits(max_connections=CONNECTIONS),
    )


def pod_namespace() -> str | None:
    """The namespace of the pod that we run in; None where this is not a pod."""
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip() or None
    except OSError:
        return None
