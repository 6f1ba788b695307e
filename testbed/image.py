"""The operator's image, built by the container engine of this machine."""

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from testbed.builds import run_build
from testbed.processes import ProcessError

__all__ = ["ENGINES", "base_of", "build_image", "container_engine", "has_base"]

ENGINES: Final = ("docker", "podman")  # the first that answers; their command lines are the same here

_ROOT: Final = Path(__file__).parent.parent
_PULL_SECONDS: Final = 300


@functools.cache
def container_engine() -> str | None:
    """The command of an engine that answers; None where there is none."""
    for engine in ENGINES:
        if shutil.which(engine) and _succeeds(engine, "info", timeout=20):
            return engine
    return None


def has_base(engine: str) -> bool:
    """Whether the image that ours is built from is there, or can be pulled."""
    base = base_of((_ROOT / "Dockerfile").read_text())
    return _succeeds(engine, "image", "inspect", base, timeout=20) or _succeeds(
        engine, "pull", "--quiet", base, timeout=_PULL_SECONDS
    )


def base_of(dockerfile: str) -> str:
    """The default of its ARG BASE."""
    if not (found := re.search(r"^ARG BASE=(\S+)$", dockerfile, re.MULTILINE)):
        raise ProcessError("The Dockerfile has no ARG BASE.")
    return found[1]


def build_image(engine: str, image: str, *, log: Path) -> None:
    """Build it under the name IMAGE; ProcessError if that fails."""
    argv = [engine, "build", "--tag", image]
    if engine == "podman":
        argv += ["--format", "docker"]  # OCI's own format has no HEALTHCHECK
    print(f"Building the image {image}: a minute or two.", flush=True)
    run_build([*argv, str(_ROOT)], log=log)


def _succeeds(*argv: str, timeout: float) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, timeout=timeout, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
