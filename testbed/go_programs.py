"""Go programs that are built once into the cache; the module in tests/programs pins their sources.

One module for all of them: packages that several programs use are then compiled once.
"""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.builds import run_build
from testbed.cache import cache_dir, locked
from testbed.processes import ProcessError

__all__ = ["GoProgram"]

_MODULE: Final = Path(__file__).parent.parent / "tests" / "programs"
_ENVIRONMENT: Final = {"CGO_ENABLED": "0"}
_FLAGS: Final = ("-trimpath", "-buildvcs=false")
_LINKING: Final = 0.1
"""Part of a build's time that comes after the last package is compiled."""


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """A program, and how it is built."""

    name: str
    # Its import path, or its directory in the module: ./NAME.
    package: str
    announcement: str
    # What a person without Go can do instead.
    instead: str
    ldflags: str = "-s -w"

    def built(self) -> Path:
        """The program, compiled on first use. ProcessError where there is no Go or it does not compile."""
        if shutil.which("go") is None:
            raise ProcessError(self.instead)
        target = cache_dir() / f"{self.name}-{self._key()}"
        if target.exists():
            return target
        with locked(self.name):
            if not target.exists():  # another process may have built it while we waited
                self._compile(target)
        return target

    def _key(self) -> str:
        """Changes with everything that the program depends on."""
        toolchain = subprocess.run(
            ["go", "env", "-json", "GOVERSION", "GOOS", "GOARCH"],  # noqa: S607
            cwd=_MODULE,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        digest = hashlib.sha256()
        for part in (*sorted(json.loads(toolchain).items()), self.ldflags):
            digest.update(repr(part).encode())
        for path in (_MODULE / "go.mod", _MODULE / "go.sum", _MODULE / self.package / "main.go"):
            if path.exists():
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def _compile(self, target: Path) -> None:
        unfinished = target.with_suffix(".unfinished")
        log = cache_dir() / f"{self.name}-build.log"
        print(self.announcement, flush=True)
        total = self._packages_to_compile()

        def progress() -> float:
            # `go build -v` writes a line for each package that it compiles; others tell of downloads.
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            compiled = sum(not line.startswith("go: ") for line in lines)
            return min(compiled / total, 1.0) * (1 - _LINKING)

        run_build(
            ["go", "build", "-v", *_FLAGS, "-ldflags", self.ldflags, "-o", str(unfinished), self.package],
            env=_ENVIRONMENT,
            cwd=_MODULE,
            log=log,
            progress=progress,
        )
        unfinished.rename(target)

    def _packages_to_compile(self) -> int:
        """Return the number of packages that are not in Go's own cache yet, at least 1."""
        stale = "{{if .Stale}}{{.ImportPath}}{{end}}"
        listed = subprocess.run(
            ["go", "list", "-deps", *_FLAGS, "-f", stale, self.package],  # noqa: S607
            cwd=_MODULE,
            env=os.environ | _ENVIRONMENT,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return max(1, len(listed.stdout.split()))
