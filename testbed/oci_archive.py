"""A directory as an OCI image in one file, which container runtimes import without a registry.

The layout is that of the OCI image format: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["write_archive"]

_MEDIA: Final = "application/vnd.oci.image"
_CHUNK: Final = 1 << 20
"""Bytes that are read at a time."""

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
"""The image specification's names of machines."""


def write_archive(root: Path, archive: Path, *, reference: str, config: Mapping[str, Any]) -> None:
    """Write `root` as an image of one layer with this reference; all files belong to user 0."""
    with tempfile.TemporaryFile(dir=archive.parent) as layer:
        _write_layer(root, layer)
        digest, size = _measured(layer)
        document = {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest]},
        }
        unfinished = archive.with_suffix(".unfinished")
        with tarfile.open(unfinished, "w") as tar:
            manifest = {
                "schemaVersion": 2,
                "mediaType": f"{_MEDIA}.manifest.v1+json",
                "config": _add(tar, document, f"{_MEDIA}.config.v1+json"),
                "layers": [{"mediaType": f"{_MEDIA}.layer.v1.tar", "digest": digest, "size": size}],
            }
            entry = _add(tar, manifest, f"{_MEDIA}.manifest.v1+json")
            named = {"annotations": {"io.containerd.image.name": reference}}
            _add_file(tar, "index.json", _json({"schemaVersion": 2, "manifests": [{**entry, **named}]}))
            _add_file(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            layer.seek(0)
            tar.addfile(_entry(_blob(digest), size), layer)
    unfinished.rename(archive)


def _write_layer(root: Path, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w") as tar:
        for path in sorted(root.iterdir()):
            tar.add(path, path.name, filter=_owned_by_root)


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _measured(file: IO[bytes]) -> tuple[str, int]:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}", file.tell()


def _add(tar: tarfile.TarFile, document: Mapping[str, Any], media_type: str) -> dict[str, Any]:
    """Add a document, and return the descriptor that names it."""
    data = _json(document)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    _add_file(tar, _blob(digest), data)
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _add_file(tar: tarfile.TarFile, path: str, data: bytes) -> None:
    tar.addfile(_entry(path, len(data)), io.BytesIO(data))


def _entry(path: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = size, 0o644
    return entry


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode()
