"""Calls that only the kubectl plugin makes, with its user's rights: events, new objects,
edits, and what `doctor` checks."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import ObjectMeta

from .api_server import MERGE_PATCH, ApiServer, read, segment
from .errors import KubeUnavailable
from .http import KubeHttp
from .keys import API, ObjectKey

__all__ = ["CoreEvent", "UserClient"]

PLUGIN_MANAGER: Final = "kubectl-nemoeval"
"""Name of the plugin in metadata.managedFields."""

REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

MAX_EVENTS: Final = 100
"""Events of one object that are read. Kubernetes keeps them for an hour and combines repeated ones."""


class CoreEvent(BaseModel):
    """The part of a v1 Event that is shown."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    type: str = "Normal"
    reason: str = ""
    message: str = ""
    count: int | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    """Time of an event that is not a repeated one, by clients of events.k8s.io."""

    @property
    def time(self) -> datetime | None:
        return self.last_timestamp or self.event_time


class _EventList(BaseModel):
    items: list[JsonObject] = Field(default_factory=list)


class UserClient:
    """Reads and writes of a user's command. Every method raises KubeError and nothing else."""

    def __init__(self, http: KubeHttp) -> None:
        self._server = ApiServer(http, field_manager=PLUGIN_MANAGER)

    async def events_of(self, namespace: str, uid: str) -> list[CoreEvent]:
        """Return the events of the object with this uid, the newest first."""
        selector = quote(f"involvedObject.uid={uid}", safe="")
        path = f"/api/v1/namespaces/{segment(namespace)}/events?fieldSelector={selector}&limit={MAX_EVENTS}"
        listed = _EventList.model_validate(await self._server.get(path) or {})
        found = [event for item in listed.items if (event := _event(item)) is not None]
        return sorted(found, key=lambda event: event.time.timestamp() if event.time else 0.0, reverse=True)

    async def create(self, key: ObjectKey, manifest: JsonObject) -> JsonObject:
        """Create an object, of which every field has to be known; returns it as stored.

        Raises Outdated where the name exists.
        """
        path = f"{key.path.rpartition('/')[0]}?fieldValidation=Strict"
        return read(await self._server.send("POST", path, body=manifest))

    async def edit(self, key: ObjectKey, meta: ObjectMeta, patch: JsonObject) -> None:
        """Apply a merge patch to the object as it was read with this `meta`.

        Raises Outdated where it was written since, or another object has its name.
        """
        metadata = patch.get("metadata")
        precondition: JsonObject = {"uid": meta.uid, "resourceVersion": meta.resource_version}
        body = {**patch, "metadata": {**(metadata if isinstance(metadata, dict) else {}), **precondition}}
        await self._server.send("PATCH", key.path, body=body, headers=MERGE_PATCH)

    async def version(self) -> tuple[str, datetime | None]:
        """Return the API server's version and its time, in whole seconds."""
        answer = await self._server.send("GET", "/version")
        found = read(answer).get("gitVersion")
        try:
            time = parsedate_to_datetime(answer.date)
        except ValueError:
            time = None
        return found if isinstance(found, str) else "unknown", time

    async def has_namespace(self, name: str) -> bool:
        """Return whether the namespace exists."""
        return await self._server.get(f"/api/v1/namespaces/{segment(name)}") is not None

    async def may(self, verb: str, resource: str, group: str, namespace: str) -> bool:
        """Return whether the user has this right in the namespace."""
        right: JsonObject = {"verb": verb, "resource": resource, "group": group, "namespace": namespace}
        body: JsonObject = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": right},
        }
        match read(await self._server.send("POST", REVIEWS, body=body)):
            case {"status": {"allowed": bool(allowed)}}:
                return allowed
            case _:
                raise KubeUnavailable(f"{REVIEWS} answered something other than a review")

    async def served_schemas(self) -> dict[str, JsonObject]:
        """Return the OpenAPI schema of each of the operator's kinds that is served, by kind."""
        match await self._server.get(f"/openapi/v3{API}"):
            case {"components": {"schemas": {**schemas}}}:
                return {
                    str(name).rpartition(".")[2]: schema
                    for name, schema in schemas.items()
                    if isinstance(schema, dict)
                }
            case _:
                return {}


def _event(item: JsonObject) -> CoreEvent | None:
    try:
        return CoreEvent.model_validate(item)
    except ValidationError:
        return None
