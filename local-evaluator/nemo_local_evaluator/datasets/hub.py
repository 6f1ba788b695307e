"""Datasets on a hub with Hugging Face's API: huggingface.co, a mirror, NeMo Data Store.

HF_ENDPOINT, HF_TOKEN and HF_HOME are the library's to read. Another endpoint, which a dataset names, goes
with each call, gets no token but the dataset's own, and has a cache of its own: otherwise a caller that
names one would be sent the server's token, and could leave files under the names of other people's datasets.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Final, Self, cast

from nemo_local_evaluator.wire.errors import EvaluationError

from .refusals import bad_file
from .source import DatasetSource, HubPlace, shown
from .web import MAX_DOWNLOAD_BYTES

__all__ = ["Hub", "HubFiles"]

_DOWNLOAD_SECONDS: Final = 3600.0
"""Seconds that the download of one file may take."""
_LOOK_SECONDS: Final = 30.0
"""Seconds that listing a repository may take."""
_DOWNLOADS_AT_ONCE: Final = 4
"""In threads of their own, for they take long."""


@dataclass(frozen=True, kw_only=True)
class HubFiles:
    """Files of a repository at one commit, so that all are of the same version."""

    repository: str
    commit: str
    names: Sequence[str]


class Hub:
    def __init__(self, *, caches: Path) -> None:
        """`caches` is for the endpoints that datasets name, a directory each."""
        self._caches = caches
        self._downloads = ThreadPoolExecutor(_DOWNLOADS_AT_ONCE, thread_name_prefix="hub")

    async def look(self, place: HubPlace, source: DatasetSource) -> HubFiles:
        """List a dataset's files. Raise EvaluationError if the hub does not answer or refuses the dataset."""
        work = partial(_look, place, source, caches=self._caches)
        async with _telling(source, seconds=_LOOK_SECONDS):
            return await asyncio.to_thread(work)

    async def fetch(self, files: HubFiles, name: str, *, source: DatasetSource) -> Path:
        """A file of the cache: not the caller's to remove."""
        stop = Event()
        work = partial(_download, files, name, source=source, caches=self._caches, stop=stop)
        try:
            async with _telling(source, seconds=_DOWNLOAD_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._downloads, work)
        finally:
            stop.set()


@asynccontextmanager
async def _telling(source: DatasetSource, *, seconds: float) -> AsyncIterator[None]:
    """Report every failure within as one of the dataset."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except EvaluationError:
        raise
    except TimeoutError as error:
        raise bad_file(shown(source), f"took more than {seconds:g} s") from error
    # Besides the library's errors those of its HTTP client, which is another one in each of its versions.
    except Exception as error:
        raise bad_file(shown(source), _told(error)) from error


@dataclass(frozen=True, kw_only=True)
class _Access:
    endpoint: str
    token: str | bool | None
    """None leaves it to the library, False is none at all."""
    cache: Path | None
    """None is the library's own."""


def _access(source: DatasetSource, *, caches: Path) -> _Access:
    # Not at the module's top: the library takes a second to import, and most servers never need it.
    from huggingface_hub import constants  # noqa: PLC0415

    endpoint = (source.hf_endpoint or constants.ENDPOINT).rstrip("/")
    if endpoint == constants.ENDPOINT:
        return _Access(endpoint=endpoint, token=source.hf_token, cache=None)
    digest = hashlib.sha256(endpoint.encode()).hexdigest()[:16]
    return _Access(endpoint=endpoint, token=source.hf_token or False, cache=caches / digest)


def _look(place: HubPlace, source: DatasetSource, *, caches: Path) -> HubFiles:
    from huggingface_hub import HfApi  # noqa: PLC0415

    access = _access(source, caches=caches)
    api = HfApi(endpoint=access.endpoint, token=access.token)
    info = api.dataset_info(place.repository, revision=place.revision, timeout=_LOOK_SECONDS)
    if info.sha is None:
        raise bad_file(shown(source), "has no commit on its hub")
    names = [file.rfilename for file in info.siblings or []]
    return HubFiles(repository=place.repository, commit=info.sha, names=names)


def _download(files: HubFiles, name: str, *, source: DatasetSource, caches: Path, stop: Event) -> Path:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415

    access = _access(source, caches=caches)
    if access.cache is not None:
        caches.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = hf_hub_download(
        files.repository,
        name,
        repo_type="dataset",
        revision=files.commit,
        endpoint=access.endpoint,
        token=access.token,
        cache_dir=access.cache,
        tqdm_class=cast("Any", partial(_Progress, source, stop)),
    )
    return Path(path)


class _Progress:
    """Stands where the library wants a progress bar: only from there can a download be ended."""

    def __init__(self, source: DatasetSource, stop: Event, **_options: object) -> None:
        self._source = source
        self._stop = stop
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def update(self, count: float | None = 1) -> None:
        self._bytes += int(count or 0)
        if self._stop.is_set():
            raise bad_file(shown(self._source), "is no longer wanted")
        if self._bytes > MAX_DOWNLOAD_BYTES:
            raise bad_file(shown(self._source), f"is larger than {MAX_DOWNLOAD_BYTES // 1024**3} GiB")

    def set_postfix_str(self, *_arguments: object, **_options: object) -> None:
        pass


def _told(error: Exception) -> str:
    from huggingface_hub import errors  # noqa: PLC0415

    match error:
        case errors.GatedRepoError():
            return "is gated: give the hf_token of an account that has access"
        case errors.RepositoryNotFoundError():
            return "is unknown to its hub, or a token is needed"
        case errors.RevisionNotFoundError():
            return "has no such revision"
        case errors.HfHubHTTPError():
            return f"cannot be downloaded: its hub answered {error.response.status_code}"
        case _:
            first_line = str(error).partition("\n")[0]
            return f"cannot be downloaded: {first_line or type(error).__name__}"
