"""Images of the Dockerfile as files, built without a container engine, once for each state of the sources."""

import functools
import hashlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from testbed.builds import run_build
from testbed.cache import cache_dir, locked
from testbed.dockerfile import read_stages
from testbed.oci_archive import write_archive

__all__ = ["image_archive", "image_archives"]

_ROOT: Final = Path(__file__).parent.parent
_KEPT: Final = 2
"""Archives of each image that stay in the cache: 100 MB each."""


def image_archive(target: str, *, reference: str) -> Path:
    """Return the image of a stage of the Dockerfile as an OCI archive; ProcessError if it cannot be built."""
    name = f"image-{target}"
    archive = cache_dir() / f"{name}-{_key(reference)}.tar"
    with locked(name):
        if not archive.exists():
            _build(target, archive, reference)
            _forget_older(name)
    return archive


def image_archives(references: Mapping[str, str]) -> list[Path]:
    """Return the images of several stages, by stage and reference; those to be built are built at once."""
    with ThreadPoolExecutor() as builds:
        return [*builds.map(lambda stage: image_archive(stage, reference=references[stage]), references)]


def _build(target: str, archive: Path, reference: str) -> None:
    stage = read_stages(_ROOT / "Dockerfile")[target]
    source, directory = stage.copied_from()
    print(f"Building the image {reference} without a container engine: about a minute.", flush=True)
    workdir = cache_dir() / f"image-{target}-build"
    try:
        # What a build left that was killed.
        shutil.rmtree(workdir, ignore_errors=True)
        log = cache_dir() / f"image-{target}-build.log"
        private = ["unshare", "--mount", "--propagation", "private"]
        run_build(
            [*private, sys.executable, "-m", "testbed.image_root", source, str(workdir)], cwd=_ROOT, log=log
        )
        root = workdir / "upper" / directory.lstrip("/")
        write_archive(root, archive, reference=reference, config=stage.config())
    finally:
        shutil.rmtree(workdir, ignore_errors=True)


def _key(reference: str) -> str:
    digest = hashlib.sha256(f"{reference} {sys.version} {sys.base_prefix}".encode())
    for path in sorted(_sources()):
        digest.update(f"{path.relative_to(_ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _sources() -> list[Path]:
    """Return the files that a build can read: those that .dockerignore lets through."""
    return [path for path in _let_through() if path.is_file() and "__pycache__" not in path.parts]


def _let_through() -> Iterator[Path]:
    yield _ROOT / "Dockerfile"
    for line in (_ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            path = _ROOT / line.removeprefix("!")
            yield from path.rglob("*") if path.is_dir() else [path]


def _forget_older(name: str) -> None:
    archives = sorted(cache_dir().glob(f"{name}-*.tar"), key=lambda path: path.stat().st_mtime)
    for path in archives[:-_KEPT]:
        path.unlink()
