"""Reads the rows that specs name by configMapRef, at the moment they are used.

The operator may `get` single ConfigMaps, and neither lists nor watches them. So a change is noticed when they
are read: before each submission, and for benchmarks every minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from nemo_eval_operator.kube import ConfigMap, KubeClient, KubeRefused
from nemo_eval_operator.lifecycle.requests import (
    MAX_DATASET_BYTES,
    BadRows,
    DatasetRows,
    Datasets,
    UnusableDataset,
    dataset_refs,
    rows_in,
)
from nemo_eval_operator.nemo import ConfigMapKeyRef
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import ConfigMapVersion, NemoBenchmark, NemoEvalJob

__all__ = ["ConfigMapMissing", "DatasetReader", "ReadDatasets"]


class ConfigMapMissing(Exception):
    """A ConfigMap or its key does not exist; the message says what to create."""

    reason: ClassVar[Reason] = Reason.CONFIG_MAP_NOT_FOUND


@dataclass(frozen=True, slots=True)
class ReadDatasets:
    """The rows by their ConfigMap and key, and the versions of the ConfigMaps."""

    rows: Datasets = field(default_factory=dict)
    versions: list[ConfigMapVersion] = field(default_factory=list)


class DatasetReader:
    """Reads ConfigMaps of the object's own namespace."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube
        self._one_at_a_time = asyncio.Lock()
        """A text of 1 MiB takes many times its size while it is parsed."""

    async def read(self, thing: NemoBenchmark | NemoEvalJob) -> ReadDatasets:
        """Return the rows that `thing` names. Raises ConfigMapMissing, UnusableDataset, KubeError."""
        refs = dataset_refs(thing)
        if not refs:
            return ReadDatasets()
        rows: dict[ConfigMapKeyRef, DatasetRows] = {}
        versions: dict[str, ConfigMapVersion] = {}
        size = 0
        for path, ref in refs.items():
            if ref not in rows:
                async with self._one_at_a_time:
                    found = await self._config_map(thing.metadata.namespace, ref, path)
                    text = _text(found, thing.metadata.namespace, ref, path)
                    size += len(text.encode())
                    if size > MAX_DATASET_BYTES:
                        raise UnusableDataset(
                            f"{path}: the rows of this object have more than {MAX_DATASET_BYTES:,} "
                            "bytes together"
                        )
                    rows[ref] = await asyncio.to_thread(_rows, text, thing.metadata.namespace, ref, path)
                versions[ref.name] = _version(ref.name, found)
        return ReadDatasets(rows, [versions[name] for name in sorted(versions)])

    async def versions(self, benchmark: NemoBenchmark) -> list[ConfigMapVersion]:
        """Return the versions of a benchmark's ConfigMaps as they are now; missing ones are left out."""
        names = sorted({ref.name for ref in dataset_refs(benchmark).values()})
        found = {
            name: await self._kube.config_map_version(benchmark.metadata.namespace, name) for name in names
        }
        return [
            ConfigMapVersion(name=name, uid=meta.uid, resource_version=meta.resource_version)
            for name, meta in found.items()
            if meta is not None
        ]

    async def _config_map(self, namespace: str, ref: ConfigMapKeyRef, path: str) -> ConfigMap:
        try:
            found = await self._kube.read_config_map(namespace, ref.name)
        except KubeRefused as error:
            raise UnusableDataset(
                f"{path}: ConfigMap {namespace}/{ref.name} cannot be read: {error}"
            ) from error
        if found is None:
            raise ConfigMapMissing(
                f"{path}: ConfigMap {namespace}/{ref.name} does not exist. Create it with the key {ref.key!r}"
            )
        return found


def _text(found: ConfigMap, namespace: str, ref: ConfigMapKeyRef, path: str) -> str:
    text = found.texts.get(ref.key)
    if text is not None:
        return text
    where = f"{path}: ConfigMap {namespace}/{ref.name}"
    if ref.key in found.encoded:
        raise UnusableDataset(f"{where} has the key {ref.key!r} in binaryData: rows are text, in data")
    raise ConfigMapMissing(f"{where} has no key {ref.key!r}. {_keys(found.texts)}")


def _keys(texts: Mapping[str, str]) -> str:
    shown = [repr(key) for key in sorted(texts)[:3]]
    more = ", …" if len(texts) > len(shown) else ""
    return f"Its keys are {', '.join(shown)}{more}" if shown else "It has no data"


def _rows(text: str, namespace: str, ref: ConfigMapKeyRef, path: str) -> DatasetRows:
    try:
        return rows_in(text, ref.key)
    except BadRows as error:
        where = f"{path}: key {ref.key!r} of ConfigMap {namespace}/{ref.name}"
        joint = " " if str(error).startswith(("has ", "is ")) else ", "
        raise UnusableDataset(f"{where}{joint}{error}") from error


def _version(name: str, found: ConfigMap) -> ConfigMapVersion:
    return ConfigMapVersion(name=name, uid=found.uid, resource_version=found.resource_version)
