"""The Dockerfile's build stage run without a container engine, in an overlay of this machine's own root.

    python -m testbed.image_root STAGE WORKDIR

What the stage writes is below WORKDIR/upper afterwards. Start it in a mount namespace of its own, so
that nothing of the machine changes. Linux, as root; the Python of the image is this machine's.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from testbed.dockerfile import Instruction, Stage, read_stages

_ROOT: Final = Path(__file__).parent.parent
_PATH: Final = "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"
_PASSED_ON: Final = (
    "PIP_",
    "SSL_",
    "REQUESTS_",
    "HTTP_",
    "HTTPS_",
    "NO_PROXY",
    "http_",
    "https_",
    "no_proxy",
)
"""Beginnings of variables that say how package registries are reached."""


def main() -> None:
    name, workdir = sys.argv[1], Path(sys.argv[2]).resolve()
    stages = read_stages(_ROOT / "Dockerfile")
    upper, work, root = (workdir / part for part in ("upper", "work", "merged"))
    for directory in (upper, work, root):
        directory.mkdir(parents=True)
    options = f"lowerdir=/,upperdir={upper},workdir={work}"
    _run("mount", "-t", "overlay", "overlay", "-o", options, str(root))
    for path in ("/proc", "/dev"):
        _run("mount", "--rbind", path, f"{root}{path}")
    _run_instructions([*_up_to(name, stages)], root)


def _up_to(name: str, stages: Mapping[str, Stage]) -> Iterator[Instruction]:
    """Yield the instructions of a stage, after those of the stages that it is built on."""
    stage = stages[name]
    if stage.base in stages:
        yield from _up_to(stage.base, stages)
    yield from stage.instructions


def _run_instructions(instructions: Sequence[Instruction], root: Path) -> None:
    environment = dict(_registries()) | {"PATH": f"{sys.base_prefix}/bin:{_PATH}", "HOME": "/root"}
    directory = Path("/")
    for one in instructions:
        print(one.name, one.text, flush=True)
        match one.name:
            case "ENV":
                environment |= one.pairs()
            case "WORKDIR":
                directory /= one.text
                (root / directory.relative_to("/")).mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copy(one, root / directory.relative_to("/"))
            case "RUN":
                command = f"cd {directory} && {one.text}"
                _run("chroot", str(root), "/bin/sh", "-ec", command, env=environment)
            case _:
                sys.exit(f"{one.name} is not supported here")


def _run(*argv: str, env: Mapping[str, str] | None = None) -> None:
    subprocess.run(argv, env=env, check=True)


def _registries() -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in os.environ.items() if name.startswith(_PASSED_ON))


def _copy(instruction: Instruction, directory: Path) -> None:
    """Copy files and the contents of directories, as COPY does."""
    *sources, target = instruction.words()
    for source in sources:
        path, into = _ROOT / source, directory / target
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(path, into, dirs_exist_ok=True, ignore=ignored)
        else:
            into = into / path.name if target.endswith("/") else into
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, into)


if __name__ == "__main__":
    main()
