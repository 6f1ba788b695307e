"""Datasets over http(s): streamed into a temporary file, so that they can be read twice in little memory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import httpx

from .refusals import bad_file

__all__ = ["MAX_DOWNLOAD_BYTES", "Downloads"]

MAX_DOWNLOAD_BYTES: Final = 8 * 1024**3
_TIMEOUT_SECONDS: Final = 3600.0
"""Seconds that a whole download may take."""
_SILENCE: Final = httpx.Timeout(30.0)
"""Seconds without a byte after which a server is given up."""
_OLD_SECONDS: Final = 7 * 24 * 3600.0
"""Longer than any evaluation takes to read its rows."""
_MAX_REDIRECTS: Final = 3
_CHUNK_BYTES: Final = 1024 * 1024


class Downloads:
    def __init__(self, *, directory: Path, http: httpx.AsyncClient) -> None:
        self._directory = directory
        self._http = http
        _remove_old(directory)

    async def fetch(self, url: httpx.URL, *, name: str) -> Path:
        """A file that is the caller's to remove."""
        try:
            await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._directory, delete=False) as file:
                path = Path(file.name)
                try:
                    await self._download(url, file, name)
                except BaseException:
                    _remove(path)
                    raise
        except OSError as error:
            raise bad_file(name, f"cannot be stored: {error.strerror}") from error
        return path

    async def _download(self, url: httpx.URL, file: IO[bytes], name: str) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                for _ in range(_MAX_REDIRECTS + 1):
                    async with self._http.stream("GET", url, timeout=_SILENCE) as response:
                        if response.next_request is None:
                            return await _save(response, file, name)
                        following = response.next_request.url
                    if following.host != url.host:
                        raise bad_file(name, f"redirects to another host, {following.host}")
                    url = following
        except httpx.TimeoutException as error:
            raise bad_file(name, f"sent nothing for {_SILENCE.read:g} s") from error
        except TimeoutError as error:
            raise bad_file(name, f"took more than {_TIMEOUT_SECONDS:g} s") from error
        except httpx.RequestError as error:
            raise bad_file(name, f"cannot be downloaded: {error}") from error
        raise bad_file(name, "redirects too often")


def _remove_old(directory: Path) -> None:
    """Remove old files of processes that were killed. Another process may be using newer ones."""
    for path in directory.glob("*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _OLD_SECONDS:
                path.unlink()


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _save(response: httpx.Response, file: IO[bytes], name: str) -> None:
    if not response.is_success:
        raise bad_file(name, f"answered {response.status_code}")
    size = 0
    async for chunk in response.aiter_bytes(_CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_DOWNLOAD_BYTES:
            raise bad_file(name, f"is larger than {MAX_DOWNLOAD_BYTES // 1024**3} GiB")
        await asyncio.to_thread(_append, file, chunk)


def _append(file: IO[bytes], chunk: bytes) -> None:
    file.write(chunk)
    file.flush()
