"""configMapRef of datasets, as `run` reads it: from a ConfigMap in the files of CONFIG and TARGET."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, Final

from nemo_local_evaluator.wire.errors import InvalidDocument

__all__ = ["CONFIG_MAP", "config_with_rows", "target_with_rows"]

CONFIG_MAP: Final = "ConfigMap"

MAX_BYTES: Final = 1024**2
"""Bytes of a ConfigMap's data, the limit of the API server."""

_REF: Final = "configMapRef"
_MEDIA_TYPES: Final = {
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".json": "application/json",
    ".csv": "text/csv",
}
_FIRST_CHARACTERS: Final = {"{": "application/jsonl", "[": "application/json"}

Document = dict[str, Any]


def config_with_rows(config: Document, config_maps: Iterable[Document]) -> Document:
    """Return the config with rows in place of each configMapRef. Raise InvalidDocument."""
    tasks = config.get("tasks")
    if not isinstance(tasks, dict):
        return config
    return {
        **config,
        "tasks": {
            name: _with_dataset(task, f"config.tasks.{name}", config_maps) for name, task in tasks.items()
        },
    }


def target_with_rows(target: Document, config_maps: Iterable[Document]) -> Document:
    """Return the target with rows in place of each configMapRef. Raise InvalidDocument."""
    dataset = target.get("dataset")
    if isinstance(dataset, dict) and _REF in dataset:
        if target.get("type") != "dataset":
            raise InvalidDocument(
                f"target.dataset.{_REF} is for a target of type dataset, not {target.get('type')!r}"
            )
        if others := sorted(dataset.keys() - {_REF, "limit", "files_url"}):
            raise InvalidDocument(
                f"target.dataset: {', '.join(others)} cannot be given with rows of a ConfigMap, only limit"
            )
    found: Document = _with_datasets_below(target, "target", config_maps)
    return found


def _with_datasets_below(part: Any, path: str, config_maps: Iterable[Document]) -> Any:
    """`part` with its own dataset and those of its retriever, RAG and pipeline."""
    if not isinstance(part, dict):
        return part
    below = {
        name: _with_datasets_below(part[name], f"{path}.{name}", config_maps)
        for name in ("retriever", "rag", "pipeline")
        if name in part
    }
    return _with_dataset({**part, **below}, path, config_maps)


def _with_dataset(owner: Any, path: str, config_maps: Iterable[Document]) -> Any:
    dataset = owner.get("dataset") if isinstance(owner, dict) else None
    if not isinstance(dataset, dict) or _REF not in dataset:
        return owner
    path = f"{path}.dataset"
    if "files_url" in dataset:
        raise InvalidDocument(f"{path}: set exactly one of files_url and {_REF}")
    kept = {name: value for name, value in dataset.items() if name != _REF}
    return {**owner, "dataset": {**kept, "files_url": _url(dataset[_REF], f"{path}.{_REF}", config_maps)}}


def _url(reference: Any, path: str, config_maps: Iterable[Document]) -> str:
    match reference:
        case {"name": str(name), "key": str(key)}:
            text = _text(name, key, path, config_maps)
        case _:
            raise InvalidDocument(f"{path} needs the name and key of a {CONFIG_MAP}")
    media_type = _MEDIA_TYPES.get(PurePosixPath(key).suffix.lower())
    media_type = media_type or _FIRST_CHARACTERS.get(text.lstrip()[:1])
    if media_type is None:
        raise InvalidDocument(
            f"{path}: key {key!r} is neither JSON nor JSON lines; end its name with .jsonl, .json or .csv"
        )
    return f"data:{media_type};base64,{base64.b64encode(text.encode()).decode()}"


def _text(name: str, key: str, path: str, config_maps: Iterable[Document]) -> str:
    for found in config_maps:
        metadata = found.get("metadata")
        if isinstance(metadata, dict) and metadata.get("name") == name:
            data = found.get("data")
            text = data.get(key) if isinstance(data, dict) else None
            if not isinstance(text, str):
                raise InvalidDocument(f"{path}: {CONFIG_MAP} {name} has no text with the key {key!r} in data")
            if len(text.encode()) > MAX_BYTES:
                raise InvalidDocument(
                    f"{path}: key {key!r} of {CONFIG_MAP} {name} has more than {MAX_BYTES:,} bytes"
                )
            return text
    raise InvalidDocument(
        f"{path}: {CONFIG_MAP} {name} is not in the files given, and is not read from a cluster. Add its"
        " manifest to the file of CONFIG or TARGET, or put the rows into a file and name it in files_url"
    )
