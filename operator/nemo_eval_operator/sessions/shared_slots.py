"""The administrator's limit of running jobs, which all connections to one URL keep together."""

from __future__ import annotations

from typing import Final
from weakref import WeakValueDictionary

import httpx

from nemo_eval_operator.evaluator.http import address_of
from nemo_eval_operator.workqueue import WorkQueue

from .slots import Slots

__all__ = ["SharedSlots", "server_of"]

CLUSTER_DOMAIN: Final = ".cluster.local"
"""May be left out of a Service's DNS name inside a cluster."""

SERVICE: Final = "svc"
"""Stands behind NAME.NAMESPACE in a Service's DNS name, and may be left out as well."""

LOCALHOST: Final = "127.0.0.1"


class SharedSlots:
    """Slots of all servers, `limit` at each; None: no limit.

    `own_url` is the operator's NVIDIA_EVALUATOR_URL; `namespace` is that of its pod, in which short names of
    Services are resolved.
    """

    def __init__(
        self, queue: WorkQueue, *, limit: int | None, own_url: str, namespace: str | None = None
    ) -> None:
        self._queue = queue
        self._limit = limit
        self._namespace = namespace
        self._own = self._server_of(own_url)
        self._own_route = _route_of(own_url)
        self._servers: WeakValueDictionary[tuple[str, int], Slots] = WeakValueDictionary()
        """Kept by the evaluators that use them."""

    def of(self, url: str, *, own_limit: int | None = None) -> Slots | None:
        """Return the slots at `url` for a connection with that limit of its own; None where none are shared.

        A connection's own limit replaces the administrator's, but not at the administrator's own evaluator.
        """
        server = self._server_of(url)
        if self._limit is None or (own_limit is not None and server != self._own):
            return None
        slots = self._servers.get(server)
        if slots is None:
            slots = self._servers[server] = Slots(self._queue, limit=self._limit)
        return slots

    def are_at(self, slots: Slots, url: str) -> bool:
        """Return whether these are the slots at `url`."""
        return self._servers.get(self._server_of(url)) is slots

    def is_own(self, url: str) -> bool:
        """Return whether the operator's own evaluator is at `url`."""
        return self._server_of(url) == self._own

    def leads_to_own(self, url: str) -> bool:
        """Return whether requests to `url` reach the operator's own evaluator, not only its host and port.

        Another path may lead to another server, whose ids and states say nothing about jobs of this one.
        """
        return _route_of(url) == self._own_route and self.is_own(url)

    def _server_of(self, url: str) -> tuple[str, int]:
        return server_of(url, self._namespace)


def server_of(url: str, namespace: str | None = None) -> tuple[str, int]:
    """Host and port, by which URLs are compared, whatever the path and the way to write a name or an address.

    A Service's name without its namespace is one of `namespace`, as in the operator's pod.
    """
    try:
        parsed = httpx.URL(url)
        host = parsed.host.lower()
    except (httpx.InvalidURL, ValueError):
        return url, 0
    return _host(host, namespace), parsed.port or (443 if parsed.scheme == "https" else 80)


def _route_of(url: str) -> tuple[str, str] | None:
    """Scheme and path; None where `url` is not a URL."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return None
    return parsed.scheme, parsed.path.rstrip("/")


def _host(host: str, namespace: str | None) -> str:
    host = host.removesuffix(".")
    if host == "localhost":
        return LOCALHOST
    if address := address_of(host):
        return str(address)
    if host.endswith(f".{SERVICE}{CLUSTER_DOMAIN}"):
        host = host.removesuffix(CLUSTER_DOMAIN)
    match host.split("."):
        case [name, home, end] if end == SERVICE:
            # Only a name of this form: others that end in .svc lead elsewhere.
            return f"{name}.{home}"
    return f"{host}.{namespace}" if namespace and "." not in host else host
