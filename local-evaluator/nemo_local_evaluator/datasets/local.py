"""Files beneath the directories that a server may read datasets from; nothing else on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from .refusals import bad_file

__all__ = ["LocalFiles"]

_MAX_FILES: Final = 10_000
"""Limit for a directory that is searched: no dataset has more files, but a home directory may."""
_MAX_SHOWN: Final = 300


class LocalFiles:
    def __init__(self, *, roots: Sequence[Path], database: Path, private: Sequence[Path]) -> None:
        """`private` directories are never read from, nor are the database and the files beside it."""
        self._roots = roots
        self._database = database.resolve()
        self._private = [path.resolve() for path in private]

    def locate(self, given: str) -> Path:
        """The file or directory, symbolic links resolved; relative paths are searched for in each root."""
        name = given[:_MAX_SHOWN]
        path = Path(given)
        candidates = [path] if path.is_absolute() else [root / path for root in self._roots]
        try:
            allowed = [found for found in (each.resolve() for each in candidates) if self._allowed(found)]
            existing = [found for found in allowed if found.is_file() or found.is_dir()]
        # A link to itself is a RuntimeError, a null character a ValueError.
        except (OSError, RuntimeError, ValueError) as error:
            raise bad_file(name, "is not a readable path") from error
        if not allowed:
            roots = ", ".join(map(str, self._roots))
            raise bad_file(name, f"is outside the directories allowed: {roots}")
        if not existing:
            where = "" if path.is_absolute() else f", in {', '.join(map(str, self._roots))}"
            raise bad_file(name, f"does not exist: the evaluator looks on its own disk{where}")
        return existing[0]

    def names(self, directory: Path) -> list[str]:
        """Return names of the files below `directory`, relative to it, without hidden files and links out."""
        names: list[str] = []
        for path in self._walk(directory):
            if len(names) == _MAX_FILES:
                raise bad_file(directory.name, f"has more than {_MAX_FILES} files")
            names.append(path.relative_to(directory).as_posix())
        return names

    def _walk(self, directory: Path) -> Iterator[Path]:
        for parent, folders, files in os.walk(directory):
            folders[:] = [folder for folder in folders if self._shown(Path(parent, folder))]
            yield from (path for name in files if self._shown(path := Path(parent, name)))

    def _shown(self, path: Path) -> bool:
        try:
            return not path.name.startswith(".") and self._allowed(path.resolve())
        except (OSError, RuntimeError):
            # A link that leads to itself.
            return False

    def _allowed(self, path: Path) -> bool:
        if path.parent == self._database.parent and path.name.startswith(self._database.name):
            return False
        if any(path.is_relative_to(private) for private in self._private):
            return False
        return any(path.is_relative_to(root) for root in self._roots)
