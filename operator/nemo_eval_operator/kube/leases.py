"""coordination.k8s.io/v1 Lease, as far as electing a leader needs it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from nemo_eval_operator.json_types import JsonObject

from .api_server import MERGE_PATCH, ApiServer, read, segment
from .errors import KubeUnavailable, ObjectGone
from .http import KubeHttp

__all__ = ["Lease", "LeaseClient", "LeaseSpec"]

GROUP: Final = "/apis/coordination.k8s.io/v1"
LEASES: Final = f"{GROUP}/namespaces"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class LeaseSpec(_Part):
    """Holder of a lease and its duration after each renewal. Times are MicroTimes, kept as text."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Meta(_Part):
    resource_version: str = ""
    namespace: str = ""
    name: str = ""


class Lease(_Part):
    """A Lease as it was read or written; its other fields are kept."""

    metadata: _Meta
    spec: LeaseSpec = LeaseSpec()


class LeaseClient:
    """Reads and writes Leases. Every method raises KubeError and nothing else."""

    def __init__(self, http: KubeHttp) -> None:
        self._server = ApiServer(http)

    async def get(self, namespace: str, name: str) -> Lease | None:
        document = await self._server.get(f"{_leases(namespace)}/{segment(name)}")
        return None if document is None else _lease(document)

    async def named(self, name: str, namespace: str | None) -> list[Lease]:
        """The Leases of this name in `namespace`, or in all namespaces."""
        scope = _leases(namespace) if namespace is not None else f"{GROUP}/leases"
        listed = await self._server.get(f"{scope}?fieldSelector=metadata.name%3D{segment(name)}") or {}
        items = listed.get("items")
        return [_lease(item) for item in (items if isinstance(items, list) else ()) if isinstance(item, dict)]

    async def create(self, namespace: str, name: str, spec: LeaseSpec) -> Lease:
        """Raises Outdated where another was first."""
        body: JsonObject = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name},
            "spec": spec.model_dump(by_alias=True),
        }
        return _lease(read(await self._server.send("POST", _leases(namespace), body=body)))

    async def update(self, namespace: str, name: str, lease: Lease, spec: LeaseSpec) -> Lease:
        """Raises Outdated where another wrote since `lease` was read, ObjectGone where it is gone."""
        body: JsonObject = {
            "metadata": {"resourceVersion": lease.metadata.resource_version},
            "spec": spec.model_dump(by_alias=True),
        }
        path = f"{_leases(namespace)}/{segment(name)}"
        return _lease(read(await self._server.send("PATCH", path, body=body, headers=MERGE_PATCH)))

    async def delete(self, namespace: str, name: str, lease: Lease) -> None:
        """Raises Outdated where another wrote since `lease` was read."""
        body: JsonObject = {"preconditions": {"resourceVersion": lease.metadata.resource_version}}
        with suppress(ObjectGone):
            await self._server.send("DELETE", f"{_leases(namespace)}/{segment(name)}", body=body)


def _leases(namespace: str) -> str:
    return f"{LEASES}/{segment(namespace)}/leases"


def _lease(document: JsonObject) -> Lease:
    try:
        return Lease.model_validate(document)
    except ValidationError as error:
        raise KubeUnavailable("the API server answered something other than a Lease") from error
