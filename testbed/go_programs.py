"""Go programs that are built once into the cache: a module of ours pins what goes into each."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.builds import run_build
from testbed.cache import cache_dir, locked
from testbed.processes import ProcessError

__all__ = ["GoProgram"]

_PINNING: Final = ("go.mod", "go.sum", "main.go")


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """A program, and how it is built."""

    name: str
    # The directory of its module: go.mod, go.sum and, where it is not another's program, main.go.
    source: Path
    announcement: str
    # What a person without Go can do instead.
    instead: str
    package: str = "."
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
            cwd=self.source,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        digest = hashlib.sha256()
        for part in (*sorted(json.loads(toolchain).items()), self.ldflags):
            digest.update(repr(part).encode())
        for path in (self.source / name for name in _PINNING):
            if path.exists():
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def _compile(self, target: Path) -> None:
        unfinished = target.with_suffix(".unfinished")
        flags = ["-trimpath", "-buildvcs=false", "-ldflags", self.ldflags]
        run_build(
            self.announcement,
            ["go", "build", *flags, "-o", str(unfinished), self.package],
            env={"CGO_ENABLED": "0"},
            cwd=self.source,
            log=cache_dir() / f"{self.name}-build.log",
        )
        unfinished.rename(target)
