"""Headless Chromium: the one in PATH, else Debian's, unpacked once into the cache without installing it."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from testbed.cache import cache_dir, locked
from testbed.processes import ProcessError

__all__ = ["Chromium", "chromium"]

_NAMES: Final = ("chromium-headless-shell", "google-chrome-stable", "google-chrome", "chromium")
_PACKAGE: Final = "chromium-headless-shell"
_INSTEAD: Final = "install Chromium or Google Chrome"
_BUILD_SECONDS: Final = 600


@dataclass(frozen=True)
class Chromium:
    """A program, and the environment that it needs."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)


def chromium() -> Chromium:
    """Return a Chromium. Raises ProcessError, with the reason, where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is not None:
        return Chromium(Path(found))
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ProcessError(f"no Chromium in PATH, and no apt-get to fetch one by: {_INSTEAD}")
    root = cache_dir() / _PACKAGE
    with locked(_PACKAGE):
        if not root.exists():
            _unpack(root)
    libraries = sorted({str(path.parent) for path in (root / "usr/lib").glob("*-linux-*/**/*.so*")})
    return Chromium(root / "usr/lib/chromium" / _PACKAGE, {"LD_LIBRARY_PATH": ":".join(libraries)})


def _unpack(root: Path) -> None:
    """Unpack the package, and those that it needs and that are not installed."""
    work = root.with_name(f"{root.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    for part in ("lists/partial", "archives", "root"):
        (work / part).mkdir(parents=True)
    # Lists of our own: those of the machine may be missing or old, and only root may renew them.
    options = ("-o", f"Dir::State::Lists={work / 'lists'}", "-o", f"Dir::Cache={work}", "-q")
    print(f"Fetching {_PACKAGE} and its libraries from Debian: 100 MB, once.", flush=True)
    _run("apt-get", *options, "update", cwd=work)
    listed = _run("apt-get", *options, "install", "-s", "--no-install-recommends", _PACKAGE, cwd=work)
    packages = [line.split()[1] for line in listed.splitlines() if line.startswith("Inst ")]
    _run("apt-get", *options, "download", *packages, cwd=work / "archives")
    for archive in (work / "archives").glob("*.deb"):
        _run("dpkg-deb", "-x", str(archive), str(work / "root"), cwd=work)
    (work / "root").rename(root)
    shutil.rmtree(work)


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUILD_SECONDS,
    )
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise ProcessError(f"{command[0]} failed: {' '.join(reason)}; {_INSTEAD}")
    return done.stdout
