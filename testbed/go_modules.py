"""Files of published Go modules, from Go's own module cache: the CRDs of other projects."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from testbed.cache import cache_dir
from testbed.processes import ProcessError

__all__ = ["GoModule"]


@dataclass(frozen=True)
class GoModule:
    """A module at a version, with the hash that go.sum would have for it."""

    path: str
    version: str
    sum: str

    @property
    def directory(self) -> Path:
        """Where its files are; downloaded at the first use. Raises ProcessError."""
        return _downloaded(self)


@cache
def _downloaded(module: GoModule) -> Path:
    done = subprocess.run(
        ["go", "mod", "download", "-json", f"{module.path}@{module.version}"],  # noqa: S607
        cwd=cache_dir(),  # outside of every module
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise ProcessError(f"{module.path} {module.version} was not downloaded: {done.stdout}{done.stderr}")
    found = json.loads(done.stdout)
    if found["Sum"] != module.sum:
        raise ProcessError(f"{module.path} {module.version} has hash {found['Sum']}, not {module.sum}")
    return Path(found["Dir"])
