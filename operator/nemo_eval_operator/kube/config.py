"""Where the Kubernetes API is and how to get in, as the official client's loader finds it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from kubernetes import client, config
from typing_extensions import override

from nemo_eval_operator.transport import transport_to

__all__ = ["Credentials", "KubeConfigMissing", "http_client", "pod_namespace"]

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Seconds. The API server ends a plain request after 60."""

CONNECTIONS: Final = 64
"""Half of what API priority and fairness gives a workload on a small server."""

TOKEN_SECONDS: Final = 5.0
"""For which a token is used before its source is asked again, which takes longer than to build a request. One
that is refused is replaced at once."""

SERVICE_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where the kubelet tells a pod its namespace."""


class KubeConfigMissing(Exception):
    """No kubeconfig was given or found, and this is not a pod."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to reach and enter the Kubernetes API. The token is asked for anew at each use, as it rotates."""

    configuration: client.Configuration

    @classmethod
    def find(cls, kubeconfig: Path | None) -> Credentials:
        """From the named kubeconfig, else the pod's service account, else $KUBECONFIG or ~/.kube/config."""
        found = client.Configuration()
        try:
            if kubeconfig is not None:
                config.load_kube_config(config_file=str(kubeconfig), client_configuration=found)
                return cls(found)
            try:
                config.load_incluster_config(client_configuration=found)
            except config.ConfigException:
                config.load_kube_config(client_configuration=found)
        except config.ConfigException as error:
            raise KubeConfigMissing(str(error)) from error
        return cls(found)

    @property
    def server(self) -> str:
        return str(self.configuration.host)

    @property
    def ca_path(self) -> str | None:
        return self.configuration.ssl_ca_cert

    @property
    def insecure(self) -> bool:
        return not self.configuration.verify_ssl

    @property
    def certificate(self) -> tuple[str, str] | None:
        if self.configuration.cert_file and self.configuration.key_file:
            return self.configuration.cert_file, self.configuration.key_file
        return None

    def authorization(self) -> str | None:
        """The value of the Authorization header, or None where a client certificate is used."""
        for name in ("authorization", "BearerToken"):
            if value := self.configuration.get_api_key_with_prefix(name):
                return str(value)
        return None


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
        return SERVICE_ACCOUNT_NAMESPACE.read_text().strip() or None
    except OSError:
        return None
