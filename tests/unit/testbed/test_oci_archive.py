"""Archives of images: what a container runtime reads from them, by the OCI image specification."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed.oci_archive import write_archive

CONFIG = {"Entrypoint": ["server"], "User": "65532:65532", "Env": ["HOME=/home/nonroot"]}


@pytest.fixture
def blobs(tmp_path: Path) -> Mapping[str, bytes]:
    """All files of the archive of a small root, by their names."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "server").write_bytes(b"program")
    (root / "bin" / "server").chmod(0o755)
    (root / "bin" / "alias").symlink_to("server")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    archive = tmp_path / "image.tar"
    write_archive(root, archive, reference="localhost/server:1", config=CONFIG)
    assert {path.name for path in tmp_path.iterdir()} == {"root", "image.tar"}
    with tarfile.open(archive) as tar:
        return {name: content.read() for name in tar.getnames() if (content := tar.extractfile(name))}


def document(blobs: Mapping[str, bytes], descriptor: Mapping[str, Any]) -> bytes:
    """The blob of a descriptor, after checking its digest and size as a runtime does."""
    algorithm, _, digest = descriptor["digest"].partition(":")
    data = blobs[f"blobs/{algorithm}/{digest}"]
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (digest, descriptor["size"])
    return data


def test_a_reference_leads_to_config_and_layer_by_digests(blobs: Mapping[str, bytes]) -> None:
    assert json.loads(blobs["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(blobs["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "localhost/server:1"

    manifest = json.loads(document(blobs, entry))
    config = json.loads(document(blobs, manifest["config"]))
    (layer,) = manifest["layers"]
    document(blobs, layer)

    assert config["config"] == CONFIG
    assert config["rootfs"] == {"type": "layers", "diff_ids": [layer["digest"]]}


def test_files_keep_modes_and_links_and_belong_to_root(blobs: Mapping[str, bytes]) -> None:
    (entry,) = json.loads(blobs["index.json"])["manifests"]
    (layer,) = json.loads(document(blobs, entry))["layers"]
    with tarfile.open(fileobj=io.BytesIO(document(blobs, layer))) as tar:
        files = {member.name: member for member in tar}

    assert files["bin/server"].mode == 0o755
    assert files["tmp"].mode == 0o1777
    assert files["bin/alias"].linkname == "server"
    assert {(member.uid, member.gid, member.uname) for member in files.values()} == {(0, 0, "")}
