"""Lists of objects, page by page: a page has fewer objects where they are large."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject

from .api_server import AnswerTooLarge, ApiServer, shown_path
from .errors import KubeRefused, KubeUnavailable
from .weighing import item_of, parts_at_most, rest_of_page, weighed

__all__ = ["Pages"]

PAGE_SIZE: Final = 500
"""Objects asked for at once, as kubectl does."""

PAGE_BYTES: Final = 4 * 1024 * 1024
"""Read of one page; a larger one is asked for again with fewer objects."""

PAGE_PARTS: Final = 200_000
"""JSON values in one page that is parsed as a whole, some 15 MB in memory at worst."""

SHRINK: Final = 8
"""Factor by which the page size shrinks after a page that is too large, and grows at most after another."""


class Pages:
    """All objects of a list; `path` ends in a query, and `headers` may ask for a part of each object."""

    def __init__(self, server: ApiServer, path: str, *, headers: dict[str, str] | None = None) -> None:
        self._server = server
        self._headers = headers
        self._path = path
        self._shown = shown_path(path)
        self._limit = PAGE_SIZE
        self._token = ""

    async def __aiter__(self) -> AsyncIterator[JsonObject]:
        while True:
            page = await self._page()
            items, meta = page.get("items"), page.get("metadata")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict):
                    yield item
            following = meta.get("continue") if isinstance(meta, dict) else None
            if not isinstance(following, str) or not following:
                return
            self._token = following

    async def _page(self) -> JsonObject:
        while True:
            path = f"{self._path}&limit={self._limit}&continue={quote(self._token, safe='')}"
            try:
                content = await self._server.content(path, limit=PAGE_BYTES, headers=self._headers)
            except AnswerTooLarge:
                if self._limit == 1:
                    raise KubeRefused(f"{self._shown}: an object of more than {PAGE_BYTES:,} bytes") from None
                self._limit = max(1, self._limit // SHRINK)
                continue
            if content is None:
                return {}
            if (parts := parts_at_most(content)) <= PAGE_PARTS:
                self._limit = min(PAGE_SIZE, self._limit * _growth(len(content), parts))
                return self._parsed(content)
            if self._limit == 1:
                return self._alone(content)
            self._limit = max(1, self._limit // SHRINK)

    def _parsed(self, content: bytes) -> JsonObject:
        try:
            page: JsonValue = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise KubeUnavailable(f"{self._shown} answered something other than JSON") from error
        return page if isinstance(page, dict) else {}

    def _alone(self, content: bytes) -> JsonObject:
        """A page with one object, which has too many parts for a page and may have too many for an object."""
        item = item_of(content)
        try:
            page = rest_of_page(content)
            return {**page, "items": [weighed(item).document] if item else []}
        except (ValueError, RecursionError) as error:
            raise KubeUnavailable(f"{self._shown} answered something other than a list") from error


def _growth(size: int, parts: int) -> int:
    """Return the factor for the page size after a page of `size` bytes: the next is to be half full."""
    room = min(PAGE_BYTES // (2 * max(1, size)), PAGE_PARTS // (2 * max(1, parts)))
    return min(SHRINK, max(1, room))
