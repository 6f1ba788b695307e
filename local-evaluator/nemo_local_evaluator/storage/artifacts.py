"""Files of a job in addition to its result: a log, and every sample, not only those that the result keeps.

Plain files beneath the data directory, written as the job goes on, so that they are there after a crash.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

__all__ = ["Artifacts", "JobArtifacts", "make_private_directory"]

MAX_LOG_CHARACTERS: Final = 16 * 1024 * 1024
"""Limit of one job's log; a line for each of ten million failed samples would be useless."""

MAX_NAME: Final = 200
"""Characters of a file's name that are the task's own; file systems have room for 255 bytes."""


class JobArtifacts:
    """Those of one job while it runs."""

    def __init__(self, directory: Path, files: ExitStack) -> None:
        self._directory = directory
        self._files = files
        self._log = self._open(directory / "log.txt")
        self._logged = 0
        self._samples: dict[str, TextIOWrapper] = {}

    def log(self, message: str) -> None:
        if self._logged > MAX_LOG_CHARACTERS:
            return
        self._logged += len(message)
        if self._logged > MAX_LOG_CHARACTERS:
            message = "... the log ends here: it has reached its limit"
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        self._log.write(f"{moment} {message}\n")
        self._log.flush()

    def sample(self, task: str, document: Mapping[str, Any]) -> None:
        file = self._samples.get(task)
        if file is None:
            file = self._samples[task] = self._open(self._directory / "samples" / _file_name(task))
        # Not json.dump(), which is written in Python.
        file.write(json.dumps(document) + "\n")

    def _open(self, path: Path) -> TextIOWrapper:
        make_private_directory(path.parent)
        # An answer may hold half a surrogate pair, which UTF-8 cannot.
        return self._files.enter_context(
            open(path, "a", encoding="utf-8", errors="backslashreplace", opener=_private)
        )


def make_private_directory(path: Path) -> None:
    """Make a directory, and those above it that are missing, for the owner only."""
    # Path.mkdir(parents=True) gives its mode to the last directory alone.
    for directory in (*reversed(path.parents), path):
        directory.mkdir(mode=0o700, exist_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def _file_name(task: str) -> str:
    name = quote(task, safe="")
    if len(name) > MAX_NAME:
        name = f"{name[:MAX_NAME]}-{sha256(task.encode()).hexdigest()[:16]}"
    return f"{name}.jsonl"


class Artifacts:
    """Those of all jobs, beneath one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # Servers of earlier versions made it readable for everyone.
        if root.is_dir():
            root.chmod(0o700)

    @contextmanager
    def of_run(self, job_id: str) -> Iterator[JobArtifacts]:
        with ExitStack() as files:
            yield JobArtifacts(self._root / job_id, files)

    def url(self, job_id: str) -> str:
        return f"{self._root.absolute().as_uri()}/{job_id}"

    def log_file(self, job_id: str) -> Path:
        return self._root / job_id / "log.txt"

    def sample_files(self, job_id: str) -> list[Path]:
        return sorted((self._root / job_id / "samples").glob("*.jsonl"))

    def delete(self, job_id: str) -> None:
        shutil.rmtree(self._root / job_id, ignore_errors=True)
