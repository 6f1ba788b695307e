"""configMapRef of datasets: where specs have one, and what is sent in its place. Pure.

NeMo's API takes rows in a target of type `rows`, so a target of type `dataset` becomes one. The dataset of a
task has no field for rows, only files_url: that becomes a data: URL (RFC 2397), so no field is sent that the
API does not have.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeVar

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import parts_of
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.nemo import (
    ConfigMapKeyRef,
    Dataset,
    EvaluationConfig,
    EvaluationTarget,
    Rag,
    Retriever,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob

from .dataset_rows import MAX_DATASET_BYTES, DatasetRows
from .target_paths import UnusableSpec, shown

__all__ = ["Datasets", "UnusableDataset", "check_size", "dataset_refs", "with_rows", "with_rows_recorded"]

Datasets = Mapping[ConfigMapKeyRef, DatasetRows]
"""The rows of each key of a ConfigMap that a spec names."""

OwnedT = TypeVar("OwnedT", NemoBenchmark, NemoEvalJob)
PartT = TypeVar("PartT", Retriever, Rag)

MEDIA_TYPE: Final = "application/jsonl"

MAX_RECORDED_BYTES: Final = 16 * 1024
"""Bytes of rows that config.json shows; of larger datasets it has count and digest."""

MAX_TARGET_PARTS: Final = 50_000
"""Parts of a target's rows, counted by `parts_of` as in answers: each answer about the job repeats them."""

MAX_REFS: Final = 16
"""Datasets with a configMapRef in one object: each is a call to the API server."""


class UnusableDataset(UnusableSpec):
    """A configMapRef cannot be used as it is; the message says which one, and what to change."""

    reason: ClassVar[Reason] = Reason.INVALID_DATASET


def dataset_refs(thing: NemoBenchmark | NemoEvalJob) -> dict[str, ConfigMapKeyRef]:
    """Return every configMapRef of the spec by its path. Raises UnusableDataset."""
    found: dict[str, ConfigMapKeyRef] = {}

    def note(dataset: Dataset, ref: ConfigMapKeyRef, path: str) -> Dataset:
        found[path] = ref
        return dataset

    spec = thing.spec
    if spec.config is not None:
        _in_config(spec.config, note)
    if isinstance(thing, NemoEvalJob) and thing.spec.target is not None:
        _in_parts_of_target(thing.spec.target, note)
        if (rows := _rows_dataset(thing.spec.target)) is not None:
            found[f"{TARGET_DATASET}.configMapRef"] = rows[1]
    if len(found) > MAX_REFS:
        raise UnusableDataset(f"spec has {len(found)} datasets with a configMapRef, and may have {MAX_REFS}")
    return found


def with_rows(thing: OwnedT, datasets: Datasets) -> OwnedT:
    """Return `thing` with the rows in place of each configMapRef, as sent. Raises UnusableDataset."""
    if not dataset_refs(thing):
        return thing
    check_size((thing, datasets))

    def sent(dataset: Dataset, ref: ConfigMapKeyRef, _: str) -> Dataset:
        return _without_ref(dataset, {"files_url": _url(datasets[ref])})

    return _replaced(thing, sent, datasets)


def check_size(*read: tuple[NemoBenchmark | NemoEvalJob, Datasets]) -> None:
    """Raise UnusableDataset where the rows of all these objects are too large for one remote job.

    The evaluator repeats them in each answer about the job.
    """
    sizes = {
        f"{thing.kind} {thing.metadata.name}: {path}": len(datasets[ref].text.encode())
        for thing, datasets in read
        for path, ref in dataset_refs(thing).items()
    }
    if (size := sum(sizes.values())) > MAX_DATASET_BYTES:
        raise UnusableDataset(
            f"{', '.join(sizes)}: the rows have {size:,} bytes as JSON lines, and may have "
            f"{MAX_DATASET_BYTES:,} together"
        )


def with_rows_recorded(thing: OwnedT, datasets: Datasets) -> OwnedT:
    """Return `thing` with rows as config.json shows them: the rows, or their count and digest."""

    def recorded(dataset: Dataset, ref: ConfigMapKeyRef, _: str) -> Dataset:
        read: DatasetRows = datasets[ref]
        small = len(read.text.encode()) <= MAX_RECORDED_BYTES
        shown: JsonValue = {"count": read.count, "sha256": read.sha256}
        if small:
            shown = [*read.rows()]
        return _without_ref(dataset, {"rows": shown})

    return _replaced(thing, recorded, datasets) if dataset_refs(thing) else thing


TARGET_DATASET: Final = "spec.target.dataset"

_Replace = Callable[[Dataset, ConfigMapKeyRef, str], Dataset]
"""Function from a dataset with a configMapRef, and its path, to the dataset that replaces it."""


def _replaced(thing: OwnedT, replace: _Replace, datasets: Datasets) -> OwnedT:
    update: dict[str, EvaluationConfig | EvaluationTarget] = {}
    if thing.spec.config is not None:
        update["config"] = _in_config(thing.spec.config, replace)
    if isinstance(thing, NemoEvalJob) and thing.spec.target is not None:
        target = _in_parts_of_target(thing.spec.target, replace)
        update["target"] = _target_of_rows(target, datasets)
    return thing.model_copy(update={"spec": thing.spec.model_copy(update=update)})


def _in_config(config: EvaluationConfig, replace: _Replace) -> EvaluationConfig:
    tasks = {
        name: task.model_copy(
            update={
                "dataset": _one(task.dataset, shown(("spec", "config", "tasks", name, "dataset")), replace)
            }
        )
        for name, task in (config.tasks or {}).items()
        if isinstance(task.dataset, Dataset)
    }
    return config.model_copy(update={"tasks": {**(config.tasks or {}), **tasks}}) if tasks else config


def _in_parts_of_target(target: EvaluationTarget, replace: _Replace) -> EvaluationTarget:
    """Return `target` with the datasets of its retriever and its RAG pipeline replaced."""
    update: dict[str, Retriever | Rag] = {}
    if target.retriever is not None:
        update["retriever"] = _in_part(target.retriever, "spec.target.retriever.dataset", replace)
    if target.rag is not None:
        rag = _in_part(target.rag, "spec.target.rag.dataset", replace)
        if rag.pipeline is not None:
            path = "spec.target.rag.pipeline.retriever.dataset"
            retriever = _in_part(rag.pipeline.retriever, path, replace)
            pipeline = rag.pipeline.model_copy(update={"retriever": retriever})
            rag = rag.model_copy(update={"pipeline": pipeline})
        update["rag"] = rag
    return target.model_copy(update=update)


def _in_part(part: PartT, path: str, replace: _Replace) -> PartT:
    if part.dataset is None:
        return part
    return part.model_copy(update={"dataset": _one(part.dataset, path, replace)})


def _one(dataset: Dataset, path: str, replace: _Replace) -> Dataset:
    _want_one_source(dataset, path)
    if dataset.config_map_ref is None:
        return dataset
    return replace(dataset, dataset.config_map_ref, f"{path}.configMapRef")


def _rows_dataset(target: EvaluationTarget) -> tuple[Dataset, ConfigMapKeyRef] | None:
    """The dataset of the target itself, where it has a configMapRef. Raises UnusableDataset."""
    dataset = target.dataset
    if not isinstance(dataset, Dataset):
        return None
    _want_one_source(dataset, TARGET_DATASET)
    if dataset.config_map_ref is None:
        return None
    if target.type != "dataset":
        raise UnusableDataset(
            f"{TARGET_DATASET}.configMapRef is not used by a target of type {target.type}: delete the object "
            "and create it again with spec.target.type dataset, or without spec.target.dataset"
        )
    others = sorted(dataset.to_request().keys() - {"configMapRef", "limit"})
    if others:
        raise UnusableDataset(
            f"{TARGET_DATASET}: {', '.join(others)} cannot be sent with rows of a ConfigMap, only limit. "
            "Delete the object and create it again without them"
        )
    return dataset, dataset.config_map_ref


def _target_of_rows(target: EvaluationTarget, datasets: Datasets) -> EvaluationTarget:
    found = _rows_dataset(target)
    if found is None:
        return target
    dataset, ref = found
    kept = {name: getattr(target, name) for name in target.model_fields_set - {"dataset", "type"}}
    rows: list[JsonObject] = datasets[ref].rows(limit=dataset.limit)
    _check_answer(rows)
    return EvaluationTarget.model_construct(**kept, type="rows", rows=rows)


def _check_answer(rows: list[JsonObject]) -> None:
    """Raise UnusableDataset where an answer that repeats the rows, with escapes, would be too large."""
    text = json.dumps(rows).encode()
    for count, most, unit in (
        (len(text), MAX_DATASET_BYTES, "bytes"),
        (parts_of(text), MAX_TARGET_PARTS, "commas and brackets"),
    ):
        if count > most:
            raise UnusableDataset(
                f"{TARGET_DATASET}.configMapRef: as JSON the rows have {count:,} {unit}, and may have "
                f"{most:,}. Use fewer rows, set limit, or name the data in files_url"
            )


def _want_one_source(dataset: Dataset, path: str) -> None:
    if (dataset.files_url is None) == (dataset.config_map_ref is None):
        raise UnusableDataset(f"{path}: set exactly one of files_url and configMapRef")


def _without_ref(dataset: Dataset, instead: JsonObject) -> Dataset:
    names = dataset.model_fields_set - {"config_map_ref", *instead}
    fields: dict[str, Any] = {name: getattr(dataset, name) for name in names} | instead
    # Not validated: a data: URL is longer than one that people write.
    return Dataset.model_construct(None, **fields)


def _url(read: DatasetRows) -> str:
    return f"data:{MEDIA_TYPE};base64,{base64.b64encode(read.text.encode()).decode()}"
