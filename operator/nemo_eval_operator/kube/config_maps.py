"""ConfigMaps: creating immutable ones that an object owns, and reading them within bounds."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import GROUP, MAX_PARTS, VERSION, ObjectMeta

from .api_server import AnswerTooLarge, ApiServer, segment
from .errors import KubeRefused, Outdated
from .weighing import metadata_in, values_in

__all__ = ["METADATA", "ConfigMap", "ConfigMapCalls", "OwnerReference"]

MAX_CONFIG_MAP_BYTES: Final = 8 * 1024 * 1024
"""Of a ConfigMap as it arrives: 1 MiB of data, whose characters may each be an escape of six bytes."""

CONTENT: Final = ("immutable", "data", "binaryData")
"""Fields of a ConfigMap that make up what is in it."""

METADATA: Final = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}


class OwnerReference(BaseModel):
    """metav1.OwnerReference of a controller: the garbage collector deletes what it owns."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    kind: str
    name: str
    uid: str
    api_version: str = Field(default=f"{GROUP}/{VERSION}", serialization_alias="apiVersion")
    controller: bool = True


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap as it was read."""

    uid: str
    resource_version: str
    texts: dict[str, str] = field(repr=False)
    encoded: dict[str, str] = field(default_factory=dict, repr=False)
    """Its binaryData, in base64."""

    def content_of(self, key: str) -> bytes | None:
        """Return a value of binaryData; None where there is none that can be decoded."""
        try:
            return base64.b64decode(self.encoded[key], validate=True)
        except (KeyError, ValueError):
            return None


class ConfigMapCalls:
    """The calls of `KubeClient` that are about ConfigMaps."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def create_config_map(
        self,
        namespace: str,
        name: str,
        *,
        owner: OwnerReference,
        labels: dict[str, str],
        annotations: dict[str, str],
        data: dict[str, str],
        binary: dict[str, bytes] | None = None,
    ) -> bool:
        """Create an immutable ConfigMap, or find that it was created before.

        False: a ConfigMap of that name exists that is another one. Owner and annotations can be copied by
        anyone who may create ConfigMaps, so its content and its immutability are compared as well.
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
        if binary:
            body["binaryData"] = {key: base64.b64encode(value).decode() for key, value in binary.items()}
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        try:
            await self._server.send("POST", path, body=body)
        except Outdated:
            found = await self._server.get(f"{path}/{name}") or {}
            return owner.uid in _owner_uids(found) and all(found.get(key) == body.get(key) for key in CONTENT)
        return True

    async def get_config_map(self, namespace: str, name: str) -> dict[str, str] | None:
        """A ConfigMap's texts; None where there is no such ConfigMap."""
        document = await self._server.get(_config_map_path(namespace, name))
        if document is None:
            return None
        data = document.get("data")
        texts = data if isinstance(data, dict) else {}
        return {key: value for key, value in texts.items() if isinstance(value, str)}

    async def read_config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """Return a ConfigMap that may have 1 MiB of text; None where there is none.

        Raises KubeRefused for one with too many keys.
        """
        path = _config_map_path(namespace, name)
        try:
            content = await self._server.content(path, limit=MAX_CONFIG_MAP_BYTES)
        except AnswerTooLarge as error:
            raise KubeRefused(f"{path} has more than {MAX_CONFIG_MAP_BYTES:,} bytes") from error
        if content is None:
            return None
        if (parts := values_in(content)) > MAX_PARTS:
            raise KubeRefused(f"{path} has about {parts:,} values: too many to be read")
        document = metadata_in(content)
        data, binary = document.get("data"), document.get("binaryData")
        texts = data if isinstance(data, dict) else {}
        encoded = binary if isinstance(binary, dict) else {}
        meta = ObjectMeta.model_validate(document.get("metadata"))
        return ConfigMap(
            uid=meta.uid,
            resource_version=meta.resource_version,
            texts={key: value for key, value in texts.items() if isinstance(value, str)},
            encoded={key: value for key, value in encoded.items() if isinstance(value, str)},
        )

    async def config_map_version(self, namespace: str, name: str) -> ObjectMeta | None:
        """Return the metadata of a ConfigMap, without its data; None where there is none."""
        path = _config_map_path(namespace, name)
        try:
            content = await self._server.content(path, limit=MAX_CONFIG_MAP_BYTES, headers=METADATA)
        except AnswerTooLarge as error:
            raise KubeRefused(f"{path} has more than {MAX_CONFIG_MAP_BYTES:,} bytes") from error
        return None if content is None else ObjectMeta.model_validate(metadata_in(content).get("metadata"))


def _config_map_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{segment(name)}"


def _owner_uids(document: JsonObject) -> list[JsonValue]:
    match document:
        case {"metadata": {"ownerReferences": [*owners]}}:
            return [owner.get("uid") for owner in owners if isinstance(owner, dict)]
        case _:
            return []
