"""An API server that keeps one Lease, in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from nemo_eval_operator.kube import LeaseClient, OverHttpx
from nemo_eval_operator.runtime.leader import LeaseConfig

__all__ = ["Interference", "LeaseServer", "terms"]

PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases"

Interference = Callable[[httpx.Request], Awaitable[httpx.Response | None]]


def terms(identity: str = "me") -> LeaseConfig:
    return LeaseConfig(
        namespace="system", name="operator", identity=identity, duration=3, renew_deadline=0.6, retry=0.1
    )


async def undisturbed(_request: httpx.Request) -> httpx.Response | None:
    return None


@dataclass
class LeaseServer:
    """The API server, as far as one Lease goes: resourceVersions are preconditions, null removes a field."""

    interfere: Interference = undisturbed
    spec: dict[str, Any] | None = None
    version: int = 0
    written: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def kube(self) -> LeaseClient:
        transport = httpx.MockTransport(self._handle)
        return LeaseClient(OverHttpx(httpx.AsyncClient(base_url="http://kube.test", transport=transport)))

    @property
    def holder(self) -> str | None:
        return (self.spec or {}).get("holderIdentity")

    def take(self, identity: str) -> None:
        """Write the Lease as another holder."""
        self.spec = {**(self.spec or {}), "holderIdentity": identity, "leaseDurationSeconds": 600}
        self.version += 1

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        return await self.interfere(request) or self.act(request)

    def act(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"{}")
        match request.method, request.url.path.removeprefix(PATH):
            case "GET", "/operator" if self.spec is not None:
                return self._answer()
            case "POST", "" if self.spec is None:
                return self._write(body["spec"])
            case "POST", "":
                return httpx.Response(409, json={"message": "exists"})
            case "PATCH", "/operator" if self.spec is not None:
                if body["metadata"]["resourceVersion"] != str(self.version):
                    return httpx.Response(409, json={"message": "modified"})
                return self._write({**self.spec, **body["spec"]})
            case "DELETE", "/operator" if self.spec is not None:
                if body["preconditions"]["resourceVersion"] != str(self.version):
                    return httpx.Response(409, json={"message": "modified"})
                self.spec = None
                return httpx.Response(200, json={})
            case _:
                return httpx.Response(404, json={"message": "not found"})

    def _write(self, spec: dict[str, Any]) -> httpx.Response:
        self.spec = {name: value for name, value in spec.items() if value is not None}
        self.version += 1
        self.written.set()
        return self._answer()

    def _answer(self) -> httpx.Response:
        return httpx.Response(
            200, json={"metadata": {"resourceVersion": str(self.version)}, "spec": self.spec or {}}
        )
