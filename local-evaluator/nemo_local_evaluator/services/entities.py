"""Configs and targets: what a caller sends becomes what the service keeps.

Along the way the document gets an id and times, its datasets and models are decorated as entities of their
own, as NeMo Evaluator does, and its secrets are taken out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from nemo_local_evaluator.storage import EntityStore, JobStore, Listing, StoredEntity
from nemo_local_evaluator.wire import identity, masking
from nemo_local_evaluator.wire.errors import BadRequest, Conflict, NotFound
from nemo_local_evaluator.wire.quirks import Quirk
from nemo_local_evaluator.wire.schemas import Config, ConfigInput, EntityInput, Target, TargetInput

from .patches import merge_patch, validated

__all__ = ["CONFIG", "TARGET", "EntityKind", "EntityService"]

Input = TypeVar("Input", bound=EntityInput)

_IDENTITY: Final = ("created_at", "updated_at", "id")
_SERVER_OWNED: Final = frozenset({*_IDENTITY, "schema_version", "type_prefix"})


@dataclass(frozen=True, kw_only=True)
class EntityKind(Generic[Input]):
    name: Literal["config", "target"]
    id_prefix: str
    input_model: type[Input]
    model: type[Config | Target]


CONFIG: Final = EntityKind(name="config", id_prefix="eval-config", input_model=ConfigInput, model=Config)
TARGET: Final = EntityKind(name="target", id_prefix="eval-target", input_model=TargetInput, model=Target)


class EntityService(Generic[Input]):
    def __init__(
        self, *, kind: EntityKind[Input], store: EntityStore, jobs: JobStore, quirks: frozenset[Quirk]
    ) -> None:
        self._kind = kind
        self._store = store
        self._jobs = jobs
        self._quirks = quirks

    def create(self, body: Input) -> dict[str, Any]:
        entity = self.draft(body)
        if not self._store.add(entity):
            reference = _reference(entity.document["namespace"], entity.document["name"])
            raise Conflict(f"{self._kind.name} {reference!r} already exists")
        return entity.document

    def draft(self, body: Input) -> StoredEntity:
        """The entity as it would be stored; a job's inline config or target is one that never is."""
        moment = identity.now()
        entity_id = identity.new_id(self._kind.id_prefix)
        return _entity(body, {"created_at": moment, "updated_at": moment, "id": entity_id})

    def get(self, namespace: str, name: str) -> StoredEntity:
        entity = self._store.get(namespace, name)
        if entity is None:
            raise NotFound(f"{self._kind.name} {_reference(namespace, name)!r} not found")
        return entity

    def resolve(self, reference: str | Input) -> StoredEntity:
        if not isinstance(reference, str):
            return self.draft(reference)
        namespace, separator, name = reference.partition("/")
        if not separator:
            raise BadRequest(f'{self._kind.name} {reference!r} is not of the form "namespace/name"')
        return self.get(namespace, name)

    def snapshot(self, entity: StoredEntity) -> dict[str, Any]:
        """As a job embeds it, with absent fields spelled out as null."""
        return self._kind.model.model_validate(entity.document).model_dump(mode="json")

    def list(self, listing: Listing) -> tuple[list[dict[str, Any]], int]:
        return self._store.list(listing)

    def patch(self, namespace: str, name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        entity = self.get(namespace, name)
        merged = merge_patch(entity.document, patch)
        if (merged.get("namespace"), merged.get("name")) != (namespace, name):
            raise BadRequest("namespace and name cannot be changed")
        secrets = masking.without_moved(entity.document, merged, entity.secrets)
        merged = masking.without_masks(merged, entity.secrets.keys() - secrets.keys())
        body = validated(self._kind.input_model, merged)
        kept = {key: entity.document[key] for key in _IDENTITY} | {"updated_at": identity.now()}
        changed = _entity(body, kept, known=secrets)
        self._store.replace(changed)
        return changed.document

    def delete(self, namespace: str, name: str) -> str:
        entity_id = str(self.get(namespace, name).document["id"])
        if job := self._in_use_by(entity_id):
            reference = _reference(namespace, name)
            raise Conflict(f"{self._kind.name} {reference!r} is in use by job {job!r}; delete the job first")
        self._store.delete(entity_id)
        return entity_id

    def _in_use_by(self, entity_id: str) -> str | None:
        if Quirk.DELETE_IN_USE_ALLOWED in self._quirks:
            return None
        finished = Quirk.DELETE_USED_REFUSED in self._quirks
        return self._jobs.any_with(self._kind.name, entity_id, finished=finished)


def _entity(
    body: EntityInput, identity_fields: Mapping[str, str], *, known: masking.Secrets | None = None
) -> StoredEntity:
    sent = body.model_dump(mode="json", exclude_none=True, exclude=set(_SERVER_OWNED))
    document = {
        "created_at": identity_fields["created_at"],
        "updated_at": identity_fields["updated_at"],
        "name": sent.pop("name", identity_fields["id"]),
        "namespace": sent.pop("namespace"),
        "type": sent.pop("type"),
        "id": identity_fields["id"],
        **sent,
    }
    _decorate(document)
    return StoredEntity(*masking.mask(document, known=known))


def _decorate(document: dict[str, Any]) -> None:
    for holder in (document, *document.get("tasks", {}).values()):
        for key in ("model", "dataset"):
            if isinstance(holder.get(key), dict):
                holder[key] = _decorated(key, holder[key], document["updated_at"])


def _decorated(kind: str, part: dict[str, Any], moment: str) -> dict[str, Any]:
    """What the service writes comes first and yields to what the caller wrote."""
    part_id = identity.new_id(kind)
    return {
        "schema_version": "1.0",
        "id": part_id,
        # As recorded: a dataset has none here, and null where a job embeds it.
        **({"type_prefix": kind} if kind == "model" else {}),
        "namespace": "default",
        "created_at": moment,
        "updated_at": moment,
        "custom_fields": {},
        "name": part_id,
        "version_id": "main",
        "version_tags": [],
        **part,
    }


def _reference(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"
