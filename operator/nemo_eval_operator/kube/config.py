"""Address of the Kubernetes API, and authentication to it: a pod's service account, else a kubeconfig."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from typing_extensions import override

from nemo_eval_operator.transport import transport_to, uses_proxy

from .http import (
    CONNECT_SECONDS,
    CONNECTIONS,
    READ_SECONDS,
    USER_AGENT,
    KubeHttp,
    OverAiohttp,
    OverHttpx,
    Token,
    TokenAuth,
)

__all__ = [
    "CredentialPluginFailed",
    "Credentials",
    "KubeConfigMissing",
    "http_client",
    "httpx_client",
    "pod_namespace",
    "tls_context",
]

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Directory in which the kubelet mounts a pod's namespace, token and CA certificate."""


class KubeConfigMissing(Exception):
    """No kubeconfig was given or found, and this is not a pod; or the one that was found cannot be used."""


class CredentialPluginFailed(KubeConfigMissing):
    """The command of a kubeconfig's user (`exec`) gave no credentials."""


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
    server_name: str | None = None
    """Name that the server's certificate is for, where it is not the host of `server` (tls-server-name)."""
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
        from .kubeconfig import authorization_in, load_kubeconfig  # noqa: PLC0415

        configuration = load_kubeconfig(kubeconfig, context)
        certificate, key = configuration.cert_file, configuration.key_file
        return cls(
            server=str(configuration.host),
            authorization=partial(authorization_in, configuration, kubeconfig),
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            server_name=configuration.tls_server_name,
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


def http_client(credentials: Credentials) -> KubeHttp:
    """Return a client for the API server, to be entered; it trusts a CA that is named, and no other.

    Raises KubeConfigMissing where the credentials cannot be used.
    """
    if not urlsplit(credentials.server).hostname:
        raise KubeConfigMissing(f"the server {credentials.server!r} is not a URL")
    if uses_proxy(credentials.server):
        return OverHttpx(httpx_client(credentials), proxied=True)
    return OverAiohttp(credentials.server, tls_context(credentials), Token(credentials.authorization))


def httpx_client(credentials: Credentials) -> httpx.AsyncClient:
    """Return the same for callers that need httpx's own interface."""
    context = tls_context(credentials)
    return httpx.AsyncClient(
        base_url=credentials.server,
        transport=transport_to(credentials.server, context, connections=CONNECTIONS),
        auth=TokenAuth(Token(credentials.authorization)),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        headers={"User-Agent": USER_AGENT},
    )


def tls_context(credentials: Credentials) -> ssl.SSLContext:
    """Return how the API server's certificate is checked, and this client's own certificate.

    Raises KubeConfigMissing.
    """
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = credentials.server_name
    try:
        if credentials.ca_path:
            context.load_verify_locations(cafile=credentials.ca_path)
        else:
            context.load_default_certs()
    except OSError as error:
        raise KubeConfigMissing(f"the certificate-authority cannot be used: {_problem(error)}") from error
    if credentials.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if credentials.certificate:
            context.load_cert_chain(*credentials.certificate)
    except OSError as error:
        raise KubeConfigMissing(f"the client-certificate cannot be used: {_problem(error)}") from error
    return context


def _problem(error: OSError) -> str:
    """Return what is wrong with a file; errors of TLS are errors of the system too."""
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return reason.replace("_", " ").lower() if reason else type(error).__name__


class _NamedContext(ssl.SSLContext):
    """Expects `server_name`, if there is one, instead of the host that a connection is made to."""

    server_name: str | None = None

    @override
    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        name = self.server_name or server_hostname
        return super().wrap_bio(incoming, outgoing, server_side, name, session)


def pod_namespace() -> str | None:
    """The namespace of the pod that we run in; None where this is not a pod."""
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip() or None
    except OSError:
        return None
