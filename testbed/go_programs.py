"""Go programs that are built once into the cache; the modules in tests/programs pin their sources.

One module for nearly all of them: packages that several programs use are then compiled once.
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

__all__ = ["PROGRAMS", "GoProgram"]

PROGRAMS: Final = Path(__file__).parent.parent / "tests" / "programs"
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
    tags: str = ""
    module: Path = PROGRAMS
    """Directory of the module that pins it."""

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
            cwd=self.module,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        digest = hashlib.sha256()
        # Without tags nothing is added: another key would build every program again.
        tags = (self.tags,) if self.tags else ()
        for part in (*sorted(json.loads(toolchain).items()), self.ldflags, *tags):
            digest.update(repr(part).encode())
        for path in ("go.mod", "go.sum", f"{self.package}/main.go"):
            if (file := self.module / path).exists():
                digest.update(file.read_bytes())
        return digest.hexdigest()[:16]

    def _compile(self, target: Path) -> None:
        unfinished = target.with_suffix(".unfinished")
        log = cache_dir() / f"{self.name}-build.log"
        print(self.announcement, flush=True)
        total = self._packages_to_compile()

        def progress() -> float:
            # `go build -v` writes a line for each compiled package; lines with "go: " in front are downloads.
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            compiled = sum(not line.startswith("go: ") for line in lines)
            return min(compiled / total, 1.0) * (1 - _LINKING)

        run_build(
            [
                "go",
                "build",
                "-v",
                *self._flags(),
                "-ldflags",
                self.ldflags,
                "-o",
                str(unfinished),
                self.package,
            ],
            env=_ENVIRONMENT,
            cwd=self.module,
            log=log,
            progress=progress,
        )
        unfinished.rename(target)

    def _flags(self) -> list[str]:
        return [*_FLAGS, *(["-tags", self.tags] if self.tags else [])]

    def _packages_to_compile(self) -> int:
        """Return the number of packages that are not in Go's own cache yet, at least 1."""
        stale = "{{if .Stale}}{{.ImportPath}}{{end}}"
        listed = subprocess.run(
            ["go", "list", "-deps", *self._flags(), "-f", stale, self.package],  # noqa: S607
            cwd=self.module,
            env=os.environ | _ENVIRONMENT,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return max(1, len(listed.stdout.split()))
