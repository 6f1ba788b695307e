"""Entry point of the package: opens the rows of the dataset that a config names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

import httpx

from .directory import Directory
from .formats import (
    MEDIA_TYPES,
    SUFFIXES,
    DataFile,
    Format,
    media_format,
    named_format,
    suffix_format,
)
from .hub import Hub
from .local import LocalFiles
from .refusals import bad_file
from .rows import Rows, rows_in_bytes, rows_in_files
from .selection import select
from .source import (
    DatasetSource,
    HubPlace,
    InlinePlace,
    LocalPlace,
    WebPlace,
    place_of,
    shown,
)
from .web import Downloads

__all__ = ["DatasetReader"]

_DOWNLOADS: Final = ".downloads"
_HUBS: Final = ".hubs"
_ARTIFACTS: Final = "jobs"
_NO_DIRECTORY: Final = "is not a directory; give one with file:// or hf://"


class DatasetReader:
    """Opens datasets. Every method raises EvaluationError for an invalid or a forbidden dataset."""

    def __init__(self, *, roots: Sequence[Path], private: Path, http: httpx.AsyncClient) -> None:
        """Files are read beneath `roots`; never `private`, the database, or what the server keeps by it."""
        own = {name: private.parent / name for name in (_DOWNLOADS, _HUBS, _ARTIFACTS)}
        self._local = LocalFiles(roots=roots, database=private, private=list(own.values()))
        self._downloads = Downloads(directory=own[_DOWNLOADS], http=http)
        self._hub = Hub(caches=own[_HUBS])

    def check(self, source: DatasetSource) -> None:
        """Check all that can be checked without reading or downloading."""
        match place_of(source):
            case LocalPlace(path):
                self._local_files(source, path)
            case WebPlace(url):
                _form(source, url.path)
            case InlinePlace() as place:
                _inline_form(source, place)
            case HubPlace():
                pass

    def check_directory(self, source: DatasetSource) -> None:
        """Check a source that `directory` will open, as `check` does for rows."""
        match place_of(source):
            case LocalPlace(path):
                self._local_directory(source, path)
            case WebPlace() | InlinePlace():
                raise bad_file(shown(source), _NO_DIRECTORY)
            case HubPlace():
                pass

    async def open(self, source: DatasetSource, *, limit: int | None) -> Rows:
        """Every row is checked before this returns. `limit` is in rows, None for all."""
        match place_of(source):
            case LocalPlace(path):
                files = await asyncio.to_thread(self._local_files, source, path)
            case HubPlace() as place:
                files = await self._hub_files(source, place)
            case InlinePlace(data=data) as place:
                form = _inline_form(source, place)
                return await rows_in_bytes(data, form, name=shown(source), limit=limit)
            case WebPlace(url):
                form = _form(source, url.path)
                download = await self._downloads.fetch(url, name=shown(source))
                files = [DataFile(path=download, name=PurePosixPath(url.path).name, form=form)]
                remove = partial(download.unlink, missing_ok=True)
                return await rows_in_files(files, limit=limit, release=remove)
        return await rows_in_files(files, limit=limit)

    async def directory(self, source: DatasetSource) -> Directory:
        """Return a directory of files; none of them is read or downloaded yet."""
        match place_of(source):
            case LocalPlace(path):
                directory = self._local_directory(source, path)
                names = await asyncio.to_thread(self._local.names, directory)

                async def find(name: str) -> Path:
                    return self._local.locate(str(directory / name))

                return Directory(name=shown(source), names=names, path_of=find)
            case HubPlace() as place:
                found = await self._hub.look(place, source)
                return Directory(
                    name=shown(source),
                    names=_beneath(place.path, found.names),
                    path_of=lambda name: self._hub.fetch(
                        found, str(PurePosixPath(place.path, name)), source=source
                    ),
                )
            case WebPlace() | InlinePlace():
                raise bad_file(shown(source), _NO_DIRECTORY)

    def _local_directory(self, source: DatasetSource, path: str) -> Path:
        directory = self._local.locate(path)
        if not directory.is_dir():
            raise bad_file(shown(source), _NO_DIRECTORY)
        return directory

    def _local_files(self, source: DatasetSource, path: str) -> list[DataFile]:
        found = self._local.locate(path)
        if found.is_file():
            return [DataFile(path=found, name=PurePosixPath(path).name, form=_form(source, path))]
        chosen = _choose(self._local.names(found), source)
        return [
            DataFile(path=self._local.locate(str(found / name)), name=name, form=form)
            for name, form in chosen.items()
        ]

    async def _hub_files(self, source: DatasetSource, place: HubPlace) -> list[DataFile]:
        found = await self._hub.look(place, source)
        if place.path in found.names:
            chosen = {place.path: _form(source, place.path)}
        else:
            within = _choose(_beneath(place.path, found.names), source)
            chosen = {str(PurePosixPath(place.path, name)): form for name, form in within.items()}
        return [
            DataFile(path=await self._hub.fetch(found, name, source=source), name=name, form=form)
            for name, form in chosen.items()
        ]


def _choose(names: Sequence[str], source: DatasetSource) -> dict[str, Format]:
    form = named_format(source.format)
    chosen = select(names, split=source.split, form=form, directory=shown(source))
    return {name: _form(source, name) for name in chosen}


def _form(source: DatasetSource, path: str) -> Format:
    form = named_format(source.format) or suffix_format(path)
    if form is None:
        raise bad_file(shown(source), f"does not end with one of {SUFFIXES}; give its format")
    return form


def _inline_form(source: DatasetSource, place: InlinePlace) -> Format:
    form = media_format(place.media_type)
    if form is None:
        raise bad_file(shown(source), f"has a media type that is not read; supported are {MEDIA_TYPES}")
    return form


def _beneath(directory: str, names: Sequence[str]) -> list[str]:
    prefix = f"{directory}/" if directory else ""
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
