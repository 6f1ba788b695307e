"""The few calls to the Kubernetes API that the reconcilers make themselves; watching is Kopf's.

Every write names what it was based on: the object's uid (a JSON patch `test`,
since a uid in a merge patch on /status is ignored by the API server) and, for our
own kinds, the resourceVersion, so that of two operators only one gets through.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol
from urllib.parse import quote

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import GROUP, VERSION, ObjectMeta

from .api_server import AnswerTooLarge, ApiServer, segment, shown_path
from .config_maps import METADATA, ConfigMapCalls
from .errors import KubeRefused, KubeUnavailable, ObjectGone, ObjectTooLarge
from .http import KubeHttp
from .keys import API, ObjectKey
from .pages import Pages
from .weighing import Weighed, metadata_in, weighed

__all__ = ["KubeClient", "Secret"]


MAX_OBJECT_BYTES: Final = 4 * 1024 * 1024
"""Of one object as it arrives. etcd takes 1.5 MiB."""

JSON_PATCH: Final = {
    "Content-Type": "application/json-patch+json",
    "Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json",
}
"""Of what was written only the metadata is read."""

METADATA_LIST: Final = {
    "Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json"
}


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret as it was read; what is no text in it is left out."""

    uid: str
    resource_version: str
    values: dict[str, str] = field(repr=False)
    labels: dict[str, str] = field(default_factory=dict)


class WriteObserver(Protocol):
    """Follows the writes to the operator's kinds."""

    def begun(self, key: ObjectKey) -> None:
        """A write is sent."""

    def ended(self, key: ObjectKey, version: str | None) -> None:
        """The write resulted in this resourceVersion; None where it failed, or no answer came."""


class KubeClient(ConfigMapCalls):
    """Reads and writes by way of `http`. Every method raises KubeError and nothing else.

    `observer` is notified of each write to the operator's kinds.
    """

    def __init__(self, http: KubeHttp, *, observer: WriteObserver | None = None) -> None:
        super().__init__(ApiServer(http))
        self._observer = observer
        self._too_large: set[ObjectKey] = set()
        self._heavy = asyncio.Semaphore(1)

    def forget(self, key: ObjectKey) -> None:
        """Keep nothing of an object that is gone or is another operator's."""
        self._too_large.discard(key)

    async def serves(self, plural: str) -> bool:
        """Whether the API server knows the kind yet."""
        document = await self._server.get(API) or {}
        kinds = document.get("resources")
        return isinstance(kinds, list) and any(
            isinstance(kind, dict) and kind.get("name") == plural for kind in kinds
        )

    async def lists(self, plural: str, namespace: str | None) -> bool:
        """Whether the kind is served; raises what a list of it in the namespace (None: in all) raises."""
        path = f"{_list_path(plural, namespace, '')}&limit=1"
        try:
            return await self._server.content(path, limit=MAX_OBJECT_BYTES, headers=METADATA_LIST) is not None
        except AnswerTooLarge:
            return True

    async def get(self, key: ObjectKey) -> JsonObject | None:
        """The object; None where there is none. Raises ObjectTooLarge."""
        try:
            content = await self._server.content(key.path, limit=MAX_OBJECT_BYTES)
        except AnswerTooLarge:
            raise KubeRefused(f"{key.path} has more than {MAX_OBJECT_BYTES:,} bytes") from None
        self._too_large.discard(key)
        if content is None:
            return None
        found = _weighed(content, key.path)
        # The exception is kept while the object is handled, and with it this frame.
        del content
        if found.problem is not None:
            self._too_large.add(key)
            raise ObjectTooLarge(found.problem, found.document)
        return found.document

    async def read(self, key: ObjectKey) -> tuple[JsonObject | None, ObjectTooLarge | None]:
        """Return the object, None where there is none; of a too large one metadata and status, and why."""
        try:
            return await self.get(key), None
        except ObjectTooLarge as too_large:
            return too_large.rest, too_large

    async def list_all(
        self, plural: str, namespace: str | None, *, selector: str = ""
    ) -> AsyncIterator[JsonObject]:
        """All objects of the kind in the namespace (None: in all) whose labels match, page by page.

        Of one that is too large metadata and status. Nothing where there is no such kind. Raises Outdated
        where the rest of the list is history meanwhile.
        """
        async for document in Pages(self._server, _list_path(plural, namespace, selector)):
            yield document

    async def list_uids(
        self, plural: str, namespace: str | None, *, selector: str = ""
    ) -> AsyncIterator[str]:
        """The uids of the objects that `list_all` returns; neither spec nor status is sent for them."""
        async for uid in self._list_metadata("uid", _list_path(plural, namespace, selector)):
            yield uid

    async def list_names(self, plural: str, namespace: str) -> AsyncIterator[str]:
        """The names of the objects of the namespace; neither spec nor status is sent for them."""
        async for name in self._list_metadata("name", _list_path(plural, namespace, "")):
            yield name

    async def _list_metadata(self, field: str, path: str) -> AsyncIterator[str]:
        async for document in Pages(self._server, path, headers=METADATA_LIST):
            match document:
                case {"metadata": {**metadata}} if isinstance(value := metadata.get(field), str):
                    yield value
                case _:
                    raise KubeUnavailable(f"{shown_path(path)} answered with an object without a {field}")

    async def replace_status(self, key: ObjectKey, meta: ObjectMeta, status: JsonObject) -> JsonObject:
        """Write the whole status of the object that `meta` was read from; returns the object.

        Raises Outdated where the object was written since, ObjectGone where it is another object.
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
            await self._server.send("DELETE", key.path, body=body)
        except ObjectGone:
            return

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
        """Create an event, which `kubectl describe` shows. A message has at most 1,024 characters."""
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
        await self._server.send("POST", f"/api/v1/namespaces/{key.namespace}/events", body=body)

    async def get_secret(self, namespace: str, name: str) -> Secret | None:
        """A Secret's readable values; None where there is no such Secret."""
        document = await self._server.get(f"/api/v1/namespaces/{namespace}/secrets/{segment(name)}")
        if document is None:
            return None
        meta, data = document.get("metadata"), document.get("data")
        read = ObjectMeta.model_validate(meta)
        encoded = data if isinstance(data, dict) else {}
        values = {key: text for key, value in encoded.items() if (text := _decoded(value)) is not None}
        return Secret(uid=read.uid, resource_version=read.resource_version, values=values, labels=read.labels)

    async def _patch(
        self, key: ObjectKey, meta: ObjectMeta, subresource: str, operations: list[JsonObject]
    ) -> JsonObject:
        preconditions: list[JsonObject] = [
            {"op": "test", "path": "/metadata/uid", "value": meta.uid},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": meta.resource_version},
        ]
        body: list[JsonValue] = [*preconditions, *operations]
        if self._observer is None:
            return await self._write(key, subresource, body)
        version = None
        self._observer.begun(key)
        try:
            document = await self._write(key, subresource, body)
            version = _resource_version(document)
        finally:
            self._observer.ended(key, version)
        return document

    async def _write(self, key: ObjectKey, subresource: str, body: list[JsonValue]) -> JsonObject:
        # The API server needs a second of CPU to patch one that is too large: one such write at a time.
        async with self._heavy if key in self._too_large else nullcontext():
            # Metadata alone: the whole object may have 1.3 MB.
            path = key.path + subresource
            written = await self._server.send("PATCH", path, body=body, headers={**JSON_PATCH, **METADATA})
        return metadata_in(written.content)


def _weighed(content: bytes, path: str) -> Weighed:
    try:
        return weighed(content)
    except (ValueError, RecursionError) as error:
        raise KubeUnavailable(f"{path} answered something other than an object") from error


def _decoded(value: JsonValue) -> str | None:
    """A value of a Secret, if it is text."""
    try:
        return base64.b64decode(value).decode() if isinstance(value, str) else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _resource_version(document: JsonObject) -> str:
    match document:
        case {"metadata": {"resourceVersion": str(version)}}:
            return version
        case _:
            return ""


def _list_path(plural: str, namespace: str | None, selector: str) -> str:
    scope = "" if namespace is None else f"/namespaces/{segment(namespace)}"
    return f"{API}{scope}/{plural}?labelSelector={quote(selector, safe='')}"
