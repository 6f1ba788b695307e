"""Results as entities: those of jobs, and those that callers add."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nemo_local_evaluator.storage import Listing, ResultStore
from nemo_local_evaluator.wire import identity, masking
from nemo_local_evaluator.wire.errors import NotFound
from nemo_local_evaluator.wire.result_schemas import ResultInput

from .patches import merge_patch, validated

__all__ = ["ResultService", "new_result"]

_SERVER_OWNED: Final = frozenset({"id", "created_at", "updated_at"})


def new_result(
    *, job: str, namespace: str, tasks: Mapping[str, Any], groups: Mapping[str, Any]
) -> dict[str, Any]:
    moment = identity.now()
    return {
        "created_at": moment,
        "updated_at": moment,
        "id": identity.new_id("evaluation_result"),
        "job": job,
        "tasks": dict(tasks),
        "groups": dict(groups),
        "namespace": namespace,
        "custom_fields": {},
    }


class ResultService:
    def __init__(self, store: ResultStore) -> None:
        self._store = store

    def create(self, body: ResultInput) -> dict[str, Any]:
        new = new_result(job=body.job, namespace=body.namespace, tasks={}, groups={})
        document = _masked(new | _sent(body))
        self._store.add(document)
        return document

    def get(self, result_id: str) -> dict[str, Any]:
        document = self._store.get(result_id)
        if document is None:
            raise NotFound(f"result {result_id!r} not found")
        return document

    def list(self, listing: Listing) -> tuple[list[dict[str, Any]], int]:
        return self._store.list(listing)

    def patch(self, result_id: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Return the changed result. Raise InvalidBody where the merged document is not a valid result."""
        before = self.get(result_id)
        body = validated(ResultInput, merge_patch(before, patch))
        kept = {key: before[key] for key in ("created_at", "id")}
        document = _masked(kept | {"updated_at": identity.now(), "tasks": {}, "groups": {}} | _sent(body))
        self._store.replace(document)
        return document

    def delete(self, result_id: str) -> None:
        self.get(result_id)
        self._store.delete(result_id)


def _sent(body: ResultInput) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude_none=True, exclude=set(_SERVER_OWNED))


def _masked(document: dict[str, Any]) -> dict[str, Any]:
    """Secrets in a result are of no use to this server: they are not kept at all."""
    return masking.mask(document)[0]
