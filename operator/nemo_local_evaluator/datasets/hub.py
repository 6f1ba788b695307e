"""Datasets on a hub that speaks Hugging Face's API: huggingface.co, a mirror, NeMo Data Store.

HF_ENDPOINT, HF_TOKEN and HF_HOME are the library's to read. A dataset's own `hf_endpoint` goes with each
call, gets no token but the dataset's own, and has a cache of its own: else whoever names an endpoint would be
sent the server's token, and could leave files under the names of other people's datasets.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar, cast

from nemo_local_evaluator.datasets.faults import bad_file
from nemo_local_evaluator.datasets.source import DatasetSource, HubPlace
from nemo_local_evaluator.datasets.web import MAX_DOWNLOAD_BYTES
from nemo_local_evaluator.errors import EvaluationError

_T = TypeVar("_T")

_DOWNLOAD_SECONDS: Final = 3600.0
"""For one file."""
_LOOK_SECONDS: Final = 30.0
"""For the look at what a repository holds."""
_DOWNLOADS_AT_ONCE: Final = 4
"""In threads of their own, for they take long."""


@dataclass(frozen=True, kw_only=True)
class HubFiles:
    """What a repository holds at one commit, so that all its files are of the same."""

    repository: str
    commit: str
    names: Sequence[str]


class Hub:
    def __init__(self, *, caches: Path) -> None:
        """`caches` is for the endpoints that datasets name, a directory each."""
        self._caches = caches
        self._threads = ThreadPoolExecutor(_DOWNLOADS_AT_ONCE, thread_name_prefix="hub")

    async def look(self, place: HubPlace, source: DatasetSource) -> HubFiles:
        """Raises EvaluationError where the hub does not answer, or has no such dataset for us."""
        return await self._in_thread(partial(_look, place, source), source, seconds=_LOOK_SECONDS)

    async def fetch(self, files: HubFiles, name: str, *, source: DatasetSource) -> Path:
        """A file of the cache: not the caller's to remove."""
        progress = _Progress(source)
        download = partial(
            _download, files, name, source=source, cache=self._cache(source), progress=progress
        )
        try:
            return Path(await self._in_thread(download, source, seconds=_DOWNLOAD_SECONDS))
        finally:
            progress.stopped = True

    def _cache(self, source: DatasetSource) -> Path | None:
        if not source.hf_endpoint:
            return None
        return self._caches / hashlib.sha256(source.hf_endpoint.encode()).hexdigest()[:16]

    async def _in_thread(self, work: Callable[[], _T], source: DatasetSource, *, seconds: float) -> _T:
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except EvaluationError:
            raise
        except TimeoutError as error:
            raise bad_file(source.files_url, f"took more than {seconds:g} s") from error
        # Besides the library's errors those of its HTTP client, which is another one in each of its versions.
        except Exception as error:
            raise bad_file(source.files_url, _told(error)) from error


def _token(source: DatasetSource) -> str | bool | None:
    """None leaves it to the library, False is none at all."""
    return source.hf_token or (False if source.hf_endpoint else None)


def _look(place: HubPlace, source: DatasetSource) -> HubFiles:
    # Not at the module's top: the library takes a second to import, and most servers never need it.
    from huggingface_hub import HfApi  # noqa: PLC0415

    api = HfApi(endpoint=source.hf_endpoint or None, token=_token(source))
    info = api.dataset_info(place.repository, revision=place.revision, timeout=_LOOK_SECONDS)
    if info.sha is None:
        raise bad_file(source.files_url, "has no commit on its hub")
    names = [file.rfilename for file in info.siblings or []]
    return HubFiles(repository=place.repository, commit=info.sha, names=names)


def _download(
    files: HubFiles, name: str, *, source: DatasetSource, cache: Path | None, progress: "_Progress"
) -> str:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415

    return hf_hub_download(
        files.repository,
        name,
        repo_type="dataset",
        revision=files.commit,
        endpoint=source.hf_endpoint or None,
        token=_token(source),
        cache_dir=cache,
        tqdm_class=cast("Any", progress),
    )


class _Progress:
    """Stands where the library wants a class of progress bars: only from there can a download be ended."""

    def __init__(self, source: DatasetSource) -> None:
        self._source = source
        self._bytes = 0
        self.stopped = False

    def __call__(self, **_options: object) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def update(self, count: float | None = 1) -> None:
        self._bytes += int(count or 0)
        if self.stopped:
            raise bad_file(self._source.files_url, "is no longer wanted")
        if self._bytes > MAX_DOWNLOAD_BYTES:
            raise bad_file(self._source.files_url, f"is larger than {MAX_DOWNLOAD_BYTES // 1024**3} GiB")

    def set_postfix_str(self, *_arguments: object, **_options: object) -> None:
        pass


def _told(error: Exception) -> str:
    from huggingface_hub import errors  # noqa: PLC0415

    match error:
        case errors.GatedRepoError():
            return "is gated: a token of somebody who was let in is needed"
        case errors.RepositoryNotFoundError():
            return "is unknown to its hub, or a token is needed"
        case errors.RevisionNotFoundError():
            return "has no such revision"
        case errors.HfHubHTTPError():
            return f"cannot be downloaded: its hub answered {error.response.status_code}"
        case _:
            first_line = str(error).partition("\n")[0]
            return f"cannot be downloaded: {first_line or type(error).__name__}"
