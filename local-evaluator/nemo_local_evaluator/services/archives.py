"""ZIP files, packed into an unnamed temporary file: a job's samples may not fit into memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final
from zipfile import ZIP_DEFLATED, ZipFile

__all__ = ["Archive", "pack"]

_CHUNK: Final = 256 * 1024


class Archive:
    def __init__(self, file: IO[bytes], *, size: int) -> None:
        self._file = file
        self.size = size

    def chunks(self) -> Iterator[bytes]:
        with self._file:
            while chunk := self._file.read(_CHUNK):
                yield chunk


def pack(members: Mapping[str, Path | str]) -> Archive:
    """`members`: file or text by its name in the archive."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when its chunks are read
    try:
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for name, content in members.items():
                if isinstance(content, Path):
                    archive.write(content, name)
                else:
                    archive.writestr(name, content)
    except BaseException:
        file.close()
        raise
    size = file.tell()
    file.seek(0)
    return Archive(file, size=size)
