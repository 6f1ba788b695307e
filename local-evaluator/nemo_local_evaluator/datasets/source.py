"""A dataset as a config describes it, and its location; no I/O."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

import httpx

from nemo_local_evaluator.models import parse_url

from .refusals import bad_file

__all__ = ["DatasetSource", "HubPlace", "InlinePlace", "LocalPlace", "Place", "WebPlace", "place_of", "shown"]

_HUB: Final = "hf://"
_INLINE: Final = "data:"
_MAX_SHOWN: Final = 300


@dataclass(frozen=True, kw_only=True)
class DatasetSource:
    """The fields of NeMo's Dataset that say where rows come from."""

    files_url: str
    format: str | None = None
    """A file format; or a schema's name (`beir`, `squad`), which leaves the file format to the suffix."""
    hf_endpoint: str | None = None
    split: str | None = None
    """Chooses among the files of a directory; says nothing about a single file."""
    hf_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class LocalPlace:
    path: str


@dataclass(frozen=True)
class WebPlace:
    url: httpx.URL


@dataclass(frozen=True, kw_only=True)
class HubPlace:
    repository: str
    revision: str | None
    path: str
    """Path of a file or a directory; empty for the whole repository."""


@dataclass(frozen=True)
class InlinePlace:
    """Data that a data: URL (RFC 2397) brings along."""

    media_type: str
    data: bytes = field(repr=False)


Place = LocalPlace | WebPlace | HubPlace | InlinePlace


def place_of(source: DatasetSource) -> Place:
    """Return the location of a dataset. Raise EvaluationError for an unsupported scheme or an invalid URL."""
    if source.files_url.startswith(_INLINE):
        return _inline_place(source)
    scheme, separator, rest = source.files_url.partition("://")
    match scheme if separator else "":
        case "":
            return LocalPlace(source.files_url)
        case "file":
            # file://localhost/path is file:///path to RFC 8089.
            path = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
            return LocalPlace(unquote(path))
        case "http" | "https":
            return WebPlace(parse_url(source.files_url))
        case "hf":
            return _hub_place(source)
        case _:
            what = f"begins with {scheme}://; supported are file://, http://, https://, hf:// and data:"
            raise bad_file(shown(source), what)


def shown(source: DatasetSource) -> str:
    """Return the URL for messages: without credentials, and without the query, which may hold a signature."""
    if source.files_url.startswith(_INLINE):
        return f"{source.files_url.partition(',')[0][:_MAX_SHOWN]},…"
    if source.files_url.startswith(("http://", "https://")):
        url = parse_url(source.files_url)
        return str(url.copy_with(username=None, password=None, query=None, fragment=None))[:_MAX_SHOWN]
    return source.files_url[:_MAX_SHOWN]


def _inline_place(source: DatasetSource) -> InlinePlace:
    head, comma, text = source.files_url.removeprefix(_INLINE).partition(",")
    media_type, *parameters = head.split(";")
    if not comma or "base64" not in parameters:
        raise bad_file(shown(source), "is not data:MEDIA/TYPE;base64,DATA")
    try:
        return InlinePlace(media_type.lower(), base64.b64decode(text, validate=True))
    except ValueError as error:
        raise bad_file(shown(source), "is not base64") from error


def _hub_place(source: DatasetSource) -> HubPlace:
    kind, _, rest = source.files_url.removeprefix(_HUB).partition("/")
    namespace, _, rest = rest.partition("/")
    name, _, path = rest.strip("/").partition("/")
    name, _, revision = name.partition("@")
    if kind != "datasets" or not namespace or not name or ".." in path.split("/"):
        raise bad_file(shown(source), "is not hf://datasets/<namespace>/<name>[@<revision>][/<path>]")
    if source.hf_endpoint:
        parse_url(source.hf_endpoint)
    return HubPlace(
        repository=f"{namespace}/{name}", revision=unquote(revision) or None, path=path.strip("/")
    )
