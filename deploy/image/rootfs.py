"""Makes an image's file system in a build stage of the Dockerfile: Python, an environment, what they load.

    python rootfs.py prune PROGRAM VENV            delete from VENV what PROGRAM never imports
    python rootfs.py assemble PROGRAM VENV ROOT    copy VENV, its Python and their shared libraries below ROOT

PROGRAM is operator or local-evaluator. ROOT has no shell, no package manager and no pip. Standard library
only; Linux with glibc. To be run by the Python that VENV was made with.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Dependencies bring commands of their own, and uv what activates an environment in a shell.
COMMANDS_USED: Final = ("nemo-", "kubectl-nemoeval", "python")

# Of the standard library: what is for developers, and what brings a library of its own (curses, Tk).
PYTHON_UNUSED: Final = (
    *("config-*", "dist-packages", "ensurepip", "idlelib", "pydoc_data", "site-packages"),
    *("test", "tkinter", "turtledemo"),
    *("_curses*.so", "_dbm*.so", "_gdbm*.so", "_test*.so", "_tkinter*.so", "readline*.so"),
    "xx*.so",
)


@dataclass(frozen=True)
class Image:
    """What a program's image holds and what not."""

    imported: str
    """All that the commands of a pod import, in the way in which they do."""
    packages_unused: tuple[str, ...] = ()
    """Files of dependencies, below site-packages."""
    python_unused: tuple[str, ...] = PYTHON_UNUSED
    """Files of the standard library."""


IMAGES: Final = {
    "operator": Image(
        imported="""
import nemo_eval_operator.cli
from nemo_eval_operator.imports import import_without
import_without("kopf", part="kubernetes")
import nemo_eval_operator.app, nemo_eval_operator.runtime.health_check, nemo_eval_operator.uninstall
import nemo_eval_operator.plugin.main, nemo_eval_operator.plugin.waiting
""",
        # An asyncio copy of the official client, and its classes for the APIs of all groups: more than half
        # of all that is installed. tests/e2e/test_package.py runs the operator without them.
        packages_unused=("kubernetes/aio", "kubernetes/client/api/*_v[0-9]*_api.py"),
        python_unused=(*PYTHON_UNUSED, "sqlite3", "_sqlite3*.so"),
    ),
    "local-evaluator": Image(
        imported="import nemo_local_evaluator.cli, nemo_local_evaluator.app",
        packages_unused=("pyarrow/include", "pyarrow/src", "pyarrow/tests", "pyarrow/*flight*"),
    ),
}

# One number for user and group, so that Kubernetes can check runAsNonRoot; distroless images have the same.
USER: Final = "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
GROUP: Final = "nonroot:x:65532:\n"


def prune(image: Image, venv: Path) -> None:
    (packages,) = venv.glob("lib/python3*/site-packages")
    for pattern in image.packages_unused:
        found = set(packages.glob(pattern))
        if not found:
            sys.exit(f"{packages} has no {pattern} (any more): look what takes its room now")
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for command in (venv / "bin").iterdir():
        if not command.name.startswith(COMMANDS_USED):
            command.unlink()


def assemble(image: Image, venv: Path, root: Path) -> None:
    # Only what a start imports is compiled: the root will be read-only, and all bytecode is another 60 MB.
    python = venv / "bin" / "python"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([python, "-c", image.imported], check=True, env=environment)

    _copy_executable(python, root)
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    for kind in ("stdlib", "platstdlib"):
        copy(Path(sysconfig.get_path(kind, vars=base)), root, ignore=image.python_unused)
    copy(venv, root)
    extensions = [path for path in root.rglob("*.so*") if re.search(r"\.so(\.\d+)*$", path.name)]
    found = _libraries([python.resolve(), *extensions])
    libraries = sorted(path for path in found if not path.is_relative_to(root.absolute()))
    for library in libraries:
        copy(library, root)
    for package in sorted({name for library in libraries for name in _packages_of(library)}):
        _declare(package, root)
    for name in ("/etc/os-release", "/etc/ld.so.cache"):
        copy(Path(name), root)
    write(root / "etc/passwd", USER)
    write(root / "etc/group", GROUP)
    write(root / "etc/nsswitch.conf", "hosts: files dns\n")
    (root / "home/nonroot").mkdir(parents=True, exist_ok=True)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)


def copy(source: Path, root: Path, *, ignore: Iterable[str] = ()) -> None:
    """To the same path below ROOT; nothing that is there already is copied again."""
    target = root / source.relative_to("/")
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*ignore))
    else:
        shutil.copy2(source, target)  # a link's target, under the link's name


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _copy_executable(link: Path, root: Path) -> None:
    """The interpreter that a virtual environment's bin/python leads to, and the links on the way."""
    while link.is_symlink():
        link = link.parent / link.readlink()
        target = root / link.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(link, target, follow_symlinks=False)


def _libraries(binaries: Iterable[Path]) -> set[Path]:
    """What the dynamic linker would load for BINARIES, itself included, by the names it looks for."""
    paths = [*map(str, binaries)]
    said = subprocess.run(["ldd", *paths], check=True, capture_output=True, text=True).stdout  # noqa: S607
    # A wheel's own libraries find each other only from the extension that loads them.
    own = {Path(path).name for path in paths}
    if missing := {*re.findall(r"^\t(\S+) => not found", said, re.MULTILINE)} - own:
        sys.exit(f"not found: {', '.join(sorted(missing))}")
    return {Path(path) for path in re.findall(r"^\t(?:.* => )?(/\S+) \(0x", said, re.MULTILINE)}


def _packages_of(library: Path) -> Iterator[str]:
    # Debian knows a file by the name that it had before /lib became a link, or by the present one.
    for name in (library, library.resolve(), Path("/usr") / library.relative_to("/")):
        answer = subprocess.run(
            ["dpkg-query", "--search", str(name)],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        # "libc6:amd64: /usr/lib/…"; a file may be diverted too, which is another line.
        if owner := re.search(r"^([a-z0-9][a-z0-9.+-]+)(:\w+)?: /", answer.stdout, re.MULTILINE):
            yield owner[1]
            return


def _declare(package: str, root: Path) -> None:
    """Where scanners look for packages without a package manager, and the licence beside it."""
    status = subprocess.run(
        ["dpkg-query", "--status", package],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    write(root / "var/lib/dpkg/status.d" / package, status.stdout)
    copy(Path("/usr/share/doc") / package / "copyright", root)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["prune", program, venv] if program in IMAGES:
            prune(IMAGES[program], Path(venv))
        case ["assemble", program, venv, root] if program in IMAGES:
            assemble(IMAGES[program], Path(venv).absolute(), Path(root))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
