"""A dataset of several files that belong together: BEIR's corpus, queries and judgements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from .formats import SUFFIXES, DataFile, suffix_format
from .refusals import bad_file
from .rows import Rows, rows_in_files

__all__ = ["Directory"]


class Directory:
    def __init__(self, *, name: str, names: Iterable[str], path_of: Callable[[str], Awaitable[Path]]) -> None:
        self.names = frozenset(names)
        """Names of all files below the directory, relative to it: `qrels/test.tsv`."""
        self._name = name
        self._path_of = path_of

    async def path(self, name: str) -> Path:
        """Return the file's path on this machine. A remote file is downloaded first."""
        if name not in self.names:
            raise bad_file(self._name, f"has no file {name!r}")
        return await self._path_of(name)

    async def open(self, name: str, *, limit: int | None = None) -> Rows:
        form = suffix_format(name)
        if form is None:
            raise bad_file(name, f"does not end with one of {SUFFIXES}")
        file = DataFile(path=await self.path(name), name=name, form=form)
        return await rows_in_files([file], limit=limit)
