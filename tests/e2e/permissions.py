"""What the operator asks of the API server, and which permission each of its requests needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from testbed.cluster import Cluster
from testbed.faults import Exchange, FaultProxy, Moment, Upstream, proxied_kubeconfig

Manifest = dict[str, Any]

Permission = tuple[str, str]
"""Resource and verb, as in a role: ("nemoevaljobs/status", "patch")."""

_VERBS: Mapping[str, str] = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PATH = re.compile(
    r"/apis?(/[a-z.0-9]+)?/v[a-z0-9]+(/namespaces/[^/]+)?/(?P<resource>[a-z]+)(/(?P<name>[^/]+)(/(?P<sub>[a-z]+))?)?"
)


def permission_for(exchange: Exchange) -> Permission | None:
    """None for what every account may ask, such as which kinds there are."""
    found = _PATH.fullmatch(exchange.path)
    if found is None:
        return None
    resource = "/".join(filter(None, (found["resource"], found["sub"])))
    if exchange.method != "GET":
        return resource, _VERBS[exchange.method]
    if found["name"]:
        return resource, "get"
    return resource, "watch" if "watch" in parse_qs(exchange.query) else "list"


def granted(roles: Sequence[Manifest]) -> set[Permission]:
    return {
        (resource, verb)
        for role in roles
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def without(roles: Sequence[Manifest], permission: Permission) -> list[Manifest]:
    """The roles, each rule split into single permissions, but for one."""
    left = []
    for role in roles:
        rules = [
            {**rule, "resources": [resource], "verbs": [verb]}
            for rule in role["rules"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
            if (resource, verb) != permission
        ]
        left.append({**role, "rules": rules})
    return left


@dataclass
class Record:
    """The requests of one account so far."""

    kubeconfig: Path
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def used(self) -> set[Permission]:
        return {needed for exchange in self.exchanges if (needed := permission_for(exchange))}

    @property
    def refused(self) -> list[str]:
        """Every 403 for want of a permission, in the API server's words.

        In a namespace that is being deleted, an event gets a 403 for that reason: no role would allow it.
        """
        return [
            f"{exchange.method} {exchange.path}: {answer}"
            for exchange in self.exchanges
            if exchange.status == 403
            and '"reason":"NamespaceTerminating"' not in (answer := (exchange.answer or b"").decode())
        ]

    def refusals(self, permission: Permission) -> int:
        return sum(
            exchange.status == 403 and permission_for(exchange) == permission for exchange in self.exchanges
        )


@contextmanager
def recorded(cluster: Cluster, namespace: str, account: str, workdir: Path) -> Iterator[Record]:
    """A kubeconfig for a service account whose requests are recorded on their way."""
    workdir.mkdir(parents=True, exist_ok=True)
    original = cluster.service_account_kubeconfig(namespace, account)
    with FaultProxy(Upstream.of_kubeconfig(original)) as proxy:
        record = Record(
            proxied_kubeconfig(original, proxy_url=proxy.url, target=workdir / "recorded-kubeconfig")
        )

        def observe(exchange: Exchange, moment: Moment) -> bool:
            if moment is Moment.ANSWERED:
                record.exchanges.append(exchange)
            return False

        proxy.observers.append(observe)
        yield record
