"""The evaluator of a run: its address, and credentials of its connection as far as the user may read them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import httpx

from nemo_eval_operator.evaluator.http import Access, UnusableCertificate, UnusableUrl
from nemo_eval_operator.kube import KubeError, ObjectKey
from nemo_eval_operator.lifecycle import read_connection
from nemo_eval_operator.plugin.access import Cluster, explain
from nemo_eval_operator.plugin.exit_codes import CommandFailed, ExitCode
from nemo_eval_operator.resources import CONNECTION_PLURAL, NemoEvalJob, NemoEvaluatorConnection
from nemo_eval_operator.resources.connection import EVALUATOR_PORT
from nemo_eval_operator.sessions import HEADERS, CredentialsMissing, CredentialsReader

__all__ = ["Way", "port_forward_hint", "way_to"]

CONNECT_SECONDS: Final = 10.0

READ_SECONDS: Final = 60.0

LOCAL_PORT: Final = EVALUATOR_PORT
"""Port of this machine in the advice to forward one."""

SERVICE_PARTS: Final = 3
"""NAME.NAMESPACE.svc, after which the cluster's domain may follow."""


@dataclass(frozen=True, slots=True)
class Way:
    """Address of an evaluator, and how to get in."""

    url: str
    access: Access

    def client(self) -> httpx.AsyncClient:
        """Return a client that follows no redirects and uses no proxy. Raises CommandFailed."""
        try:
            transport = self.access.transport(self.url, max_connections=1)
        except (UnusableCertificate, UnusableUrl) as error:
            raise CommandFailed(str(error), ExitCode.USAGE) from error
        return httpx.AsyncClient(
            base_url=self.url,
            transport=transport,
            headers=HEADERS,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )


async def way_to(cluster: Cluster, job: NemoEvalJob, url: str | None) -> Way:
    """Return the way to the job's evaluator; `url`: to be used instead of its address.

    Raises CommandFailed, KubeError.
    """
    used = job.status.evaluator
    if used is None:
        raise CommandFailed(f"{job.metadata.name} has not been submitted to an evaluator yet")
    if used.connection is None:
        # The credentials of the operator itself are not for users.
        return Way((url or used.url).rstrip("/"), Access(loopback=True))
    connection = await _connection(cluster, used.connection)
    if connection.url != used.url:
        raise CommandFailed(
            f"{job.metadata.name} was submitted to {used.url}, but NemoEvaluatorConnection {used.connection} "
            f"now points to {connection.url}: its credentials are for that one, and are not sent"
        )
    _check_accepted(connection, used.connection)
    access = await _access(cluster, connection)
    address = (url or connection.url).rstrip("/")
    if url is not None and access.headers and _would_expose(url, connection.url):
        raise CommandFailed(
            f"the connection's credentials are sent by https only: use https in --evaluator-url {url}, or "
            "a loopback address",
            ExitCode.USAGE,
        )
    return Way(address, access)


async def _connection(cluster: Cluster, name: str) -> NemoEvaluatorConnection:
    namespace, _, own = name.partition("/")
    document, _ = await cluster.kube.read(ObjectKey(CONNECTION_PLURAL, namespace, own))
    if document is None:
        raise CommandFailed(f"NemoEvaluatorConnection {name} does not exist any more", ExitCode.NOT_FOUND)
    return read_connection(document)[0]


def _check_accepted(connection: NemoEvaluatorConnection, name: str) -> None:
    """Raise CommandFailed where the operator would not send these credentials either.

    Otherwise a tenant who may edit connections, but not read Secrets, could have this user send them.
    """
    if connection.spec.auth is None and connection.spec.tls is None:
        return
    ready = next((one for one in connection.status.conditions if one.type == "Ready"), None)
    is_behind = (connection.status.observed_generation or 0) < connection.metadata.generation
    if ready is None or ready.status != "True" or is_behind:
        why = (
            f"{ready.reason}: {ready.message}"
            if ready and not is_behind
            else "it has not been reconciled yet"
        )
        raise CommandFailed(
            f"NemoEvaluatorConnection {name} is not ready ({why}), so its credentials are not sent"
        )


async def _access(cluster: Cluster, connection: NemoEvaluatorConnection) -> Access:
    try:
        return await CredentialsReader(cluster.kube, loopback=True).read(connection)
    except CredentialsMissing as error:
        if isinstance(error.__cause__, KubeError):
            raise explain(error.__cause__) from error
        name = f"{connection.metadata.namespace}/{connection.metadata.name}"
        raise CommandFailed(f"NemoEvaluatorConnection {name}: {error}") from error


def _would_expose(url: str, original: str) -> bool:
    """Return whether `url` is less protected than the connection's own address."""
    if url.startswith("https://") or not original.startswith("https://"):
        return False
    host = httpx.URL(url).host
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def port_forward_hint(url: str) -> str:
    """Return how to reach an evaluator that only pods reach; empty for another host."""
    address = httpx.URL(url)
    name, *rest = address.host.split(".")
    if len(rest) + 1 < SERVICE_PARTS or rest[1] != "svc":
        return ""
    port = address.port or (443 if address.scheme == "https" else 80)
    forward = f"kubectl port-forward -n {rest[0]} service/{name} {LOCAL_PORT}:{port}"
    return (
        f"It is a Service, which is reachable inside the cluster only. Run `{forward}`, then add "
        f"--evaluator-url {address.scheme}://127.0.0.1:{LOCAL_PORT}"
    )
