"""The few calls to the Kubernetes API that the reconcilers make themselves; watching is Kopf's.

Every write names what it was based on: the object's uid (a JSON patch `test`,
since a uid in a merge patch on /status is ignored by the API server) and, for our
own kinds, the resourceVersion, so that of two operators only one gets through.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from nemo_eval_operator.nemo import JsonObject
from nemo_eval_operator.resources import GROUP, VERSION, ObjectMeta

from .errors import KubeError, KubeRefused, KubeUnavailable, ObjectGone, Outdated
from .leases import Lease, LeaseSpec

__all__ = ["KubeClient", "ObjectKey", "OwnerReference", "Secret"]

API: Final = f"/apis/{GROUP}/{VERSION}"

DEPLOYMENTS: Final = "/apis/apps/v1/namespaces"

LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces"

PAGE_SIZE: Final = 500
"""Objects asked for at once, as kubectl does."""

MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}

JSON_PATCH: Final = {"Content-Type": "application/json-patch+json"}


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """One object of ours: `plural` as in the URL, for example nemoevaljobs."""

    plural: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        return f"{API}/namespaces/{_segment(self.namespace)}/{self.plural}/{_segment(self.name)}"


class OwnerReference(BaseModel):
    """metav1.OwnerReference of a controller: the garbage collector deletes what it owns."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    kind: str
    name: str
    uid: str
    api_version: str = Field(default=f"{GROUP}/{VERSION}", serialization_alias="apiVersion")
    controller: bool = True


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret as it was read; what is no text in it is left out."""

    uid: str
    resource_version: str
    values: dict[str, str] = field(repr=False)


class _Details(BaseModel):
    causes: list[JsonValue] = Field(default_factory=list)


class _Refusal(BaseModel):
    """metav1.Status, as far as it tells one refusal from another."""

    message: str = ""
    details: _Details = _Details()


class KubeClient:
    """Reads and writes by way of `http`. Every method raises KubeError and nothing else.

    `on_write` hears of each change to an object of ours, and which resourceVersion came of it.
    """

    def __init__(
        self, http: httpx.AsyncClient, *, on_write: Callable[[ObjectKey, str], None] | None = None
    ) -> None:
        self._http = http
        self._on_write = on_write

    async def serves(self, plural: str) -> bool:
        """Whether the API server knows the kind yet."""
        document = await self._get(API) or {}
        kinds = document.get("resources")
        return isinstance(kinds, list) and any(
            isinstance(kind, dict) and kind.get("name") == plural for kind in kinds
        )

    async def get(self, key: ObjectKey) -> JsonObject | None:
        return await self._get(key.path)

    async def list_all(
        self, plural: str, namespace: str | None, *, selector: str = ""
    ) -> AsyncIterator[JsonObject]:
        """All objects of the kind in the namespace (None: in all) whose labels match, page by page.

        Nothing where there is no such kind. Raises Outdated where the rest of the list is history meanwhile.
        """
        scope = "" if namespace is None else f"/namespaces/{_segment(namespace)}"
        path, token = f"{API}{scope}/{plural}?labelSelector={quote(selector, safe='')}", ""
        while True:
            page = await self._get(f"{path}&limit={PAGE_SIZE}&continue={quote(token, safe='')}") or {}
            items, meta = page.get("items"), page.get("metadata")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict):
                    yield item
            following = meta.get("continue") if isinstance(meta, dict) else None
            if not isinstance(following, str) or not following:
                return
            token = following

    async def replace_status(self, key: ObjectKey, meta: ObjectMeta, status: JsonObject) -> JsonObject:
        """Write the whole status of the object that `meta` was read from; returns the object.

        Raises Outdated where somebody wrote since, ObjectGone where it is another object.
        """
        return await self._patch(key, meta, "/status", [{"op": "add", "path": "/status", "value": status}])

    async def replace_finalizers(
        self,
        key: ObjectKey,
        meta: ObjectMeta,
        finalizers: Sequence[str],
        *,
        annotations: Mapping[str, str] | None = None,
    ) -> JsonObject:
        """Write the finalizers (and annotations, all of them), under the preconditions of replace_status."""
        operations: list[JsonObject] = [
            {"op": "add", "path": "/metadata/finalizers", "value": list(finalizers)}
        ]
        if annotations is not None:
            values = dict[str, JsonValue](annotations)
            operations.append({"op": "add", "path": "/metadata/annotations", "value": values})
        return await self._patch(key, meta, "", operations)

    async def delete(self, key: ObjectKey, uid: str) -> None:
        body: JsonObject = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._send("DELETE", key.path, body=body)
        except ObjectGone:
            return

    async def create_config_map(
        self,
        namespace: str,
        name: str,
        *,
        owner: OwnerReference,
        labels: dict[str, str],
        annotations: dict[str, str],
        identity: str,
        data: dict[str, str],
    ) -> bool:
        """Create an immutable ConfigMap, or find that it was created before.

        False: one of that name exists that has another owner, or another value of annotation `identity`.
        """
        metadata: JsonObject = {
            "name": name,
            "labels": dict[str, JsonValue](labels),
            "annotations": dict[str, JsonValue](annotations),
            "ownerReferences": [owner.model_dump()],
        }
        body: JsonObject = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "immutable": True,
            "data": dict[str, JsonValue](data),
        }
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        try:
            await self._send("POST", path, body=body)
        except Outdated:
            found = await self._get(f"{path}/{name}") or {}
            return owner.uid in _owner_uids(found) and _annotation(found, identity) == annotations[identity]
        return True

    async def create_event(
        self,
        key: ObjectKey,
        meta: ObjectMeta,
        *,
        kind: str,
        event_type: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        name: str,
        time: str,
    ) -> None:
        """Report to whoever runs `kubectl describe`. A message holds at most 1,024 characters."""
        regarding: JsonObject = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": kind,
            "namespace": key.namespace,
            "name": key.name,
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
        }
        body: JsonObject = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": key.namespace},
            "involvedObject": regarding,
            "type": event_type,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "nemo-eval-operator"},
            "reportingComponent": "nemo-eval-operator",
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }
        await self._send("POST", f"/api/v1/namespaces/{key.namespace}/events", body=body)

    async def get_secret(self, namespace: str, name: str) -> Secret | None:
        """A Secret's readable values; None where there is no such Secret."""
        document = await self._get(f"/api/v1/namespaces/{namespace}/secrets/{_segment(name)}")
        if document is None:
            return None
        meta, data = document.get("metadata"), document.get("data")
        read = ObjectMeta.model_validate(meta)
        encoded = data if isinstance(data, dict) else {}
        values = {key: text for key, value in encoded.items() if (text := _decoded(value)) is not None}
        return Secret(uid=read.uid, resource_version=read.resource_version, values=values)

    async def get_config_map(self, namespace: str, name: str) -> dict[str, str] | None:
        """A ConfigMap's texts; None where there is no such ConfigMap."""
        document = await self._get(f"/api/v1/namespaces/{namespace}/configmaps/{_segment(name)}")
        if document is None:
            return None
        data = document.get("data")
        texts = data if isinstance(data, dict) else {}
        return {key: value for key, value in texts.items() if isinstance(value, str)}

    async def get_lease(self, namespace: str, name: str) -> Lease | None:
        document = await self._get(f"{_leases(namespace)}/{_segment(name)}")
        return None if document is None else _lease(document)

    async def create_lease(self, namespace: str, name: str, spec: LeaseSpec) -> Lease:
        """Raises Outdated where another was first."""
        body: JsonObject = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name},
            "spec": spec.model_dump(by_alias=True),
        }
        return _lease(_read(await self._send("POST", _leases(namespace), body=body)))

    async def update_lease(self, namespace: str, name: str, lease: Lease, spec: LeaseSpec) -> Lease:
        """Raises Outdated where another wrote since `lease` was read, ObjectGone where it is gone."""
        body: JsonObject = {
            "metadata": {"resourceVersion": lease.metadata.resource_version},
            "spec": spec.model_dump(by_alias=True),
        }
        path = f"{_leases(namespace)}/{_segment(name)}"
        return _lease(_read(await self._send("PATCH", path, body=body, headers=MERGE_PATCH)))

    async def scale_deployment(self, namespace: str, name: str, replicas: int) -> str | None:
        """Set how many pods it has; returns the label selector of its pods, None where it is gone."""
        path = f"{DEPLOYMENTS}/{_segment(namespace)}/deployments/{_segment(name)}/scale"
        body: JsonObject = {"spec": {"replicas": replicas}}
        try:
            scale = _read(await self._send("PATCH", path, body=body, headers=MERGE_PATCH))
        except ObjectGone:
            return None
        match scale:
            case {"status": {"selector": str(selector)}} if selector:
                return selector
            case _:
                raise KubeUnavailable(f"{path} answered something other than a Scale")

    async def pods(self, namespace: str, selector: str) -> list[str]:
        """Names of the pods that have not ended yet, those that are being ended included."""
        path = f"/api/v1/namespaces/{_segment(namespace)}/pods?labelSelector={quote(selector, safe='')}"
        listed = await self._get(path) or {}
        items = listed.get("items")
        return [
            str(name)
            for item in (items if isinstance(items, list) else ())
            if isinstance(item, dict) and (name := _name_of_live_pod(item))
        ]

    async def _get(self, path: str) -> JsonObject | None:
        try:
            return _read(await self._send("GET", path))
        except ObjectGone:
            return None

    async def _patch(
        self, key: ObjectKey, meta: ObjectMeta, subresource: str, operations: list[JsonObject]
    ) -> JsonObject:
        preconditions: list[JsonObject] = [
            {"op": "test", "path": "/metadata/uid", "value": meta.uid},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": meta.resource_version},
        ]
        written = await self._send(
            "PATCH", key.path + subresource, body=[*preconditions, *operations], headers=JSON_PATCH
        )
        document = _read(written)
        if self._on_write is not None:
            self._on_write(key, _resource_version(document))
        return document

    async def _send(
        self, method: str, path: str, *, body: JsonValue = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            response = await self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise KubeUnavailable(f"{method} {path}: {str(error) or type(error).__name__}") from error
        if response.is_success:
            return response
        raise _refusal(response)


def _segment(name: str) -> str:
    """A name as one segment of a path: names come from specs, and `..` would be a way up."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _leases(namespace: str) -> str:
    return f"{LEASES}/{_segment(namespace)}/leases"


def _lease(document: JsonObject) -> Lease:
    try:
        return Lease.model_validate(document)
    except ValidationError as error:
        raise KubeUnavailable("the API server answered something other than a Lease") from error


def _refusal(response: httpx.Response) -> KubeError:
    try:
        status = _Refusal.model_validate_json(response.content)
    except ValidationError:
        status = _Refusal(message=response.reason_phrase)
    request = response.request
    text = f"{request.method} {request.url.path} answered {response.status_code}: {status.message}"
    match response.status_code:
        case 404:
            return ObjectGone(text)
        case 409 | 410:
            return Outdated(text)
        case 422 if not status.details.causes:
            # A failed `test` of a JSON patch; an object that fails validation comes with its causes.
            return ObjectGone(text)
        case 429 | 500 | 502 | 503 | 504:
            return KubeUnavailable(text)
        case _:
            return KubeRefused(text)


def _read(response: httpx.Response) -> JsonObject:
    # Not pydantic's parser, which ends at a depth of 200: what is deeper has to be told so, not passed over.
    try:
        document: JsonValue = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        raise KubeUnavailable(f"{response.request.url.path} answered something other than JSON") from error
    if not isinstance(document, dict):
        raise KubeUnavailable(f"{response.request.url.path} answered something other than an object")
    return document


def _decoded(value: JsonValue) -> str | None:
    """A value of a Secret, if it is text."""
    try:
        return base64.b64decode(value).decode() if isinstance(value, str) else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _name_of_live_pod(pod: JsonObject) -> str | None:
    match pod:
        case {"status": {"phase": "Succeeded" | "Failed"}}:
            return None
        case {"metadata": {"name": str(name)}}:
            return name
        case _:
            return None


def _resource_version(document: JsonObject) -> str:
    match document:
        case {"metadata": {"resourceVersion": str(version)}}:
            return version
        case _:
            return ""


def _owner_uids(document: JsonObject) -> list[JsonValue]:
    match document:
        case {"metadata": {"ownerReferences": [*owners]}}:
            return [owner.get("uid") for owner in owners if isinstance(owner, dict)]
        case _:
            return []


def _annotation(document: JsonObject, name: str) -> JsonValue:
    match document:
        case {"metadata": {"annotations": dict(annotations)}}:
            return annotations.get(name)
        case _:
            return None
