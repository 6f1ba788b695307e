"""Bodies of answers, read and parsed within bounds: a server must not be able to use up our memory."""

from __future__ import annotations

import re
from typing import Final

import httpx
from pydantic import JsonValue
from pydantic_core import from_json

__all__ = ["TooLarge", "Unreadable", "parsed", "read_body"]

MAX_PARTS: Final = 1_000_000
"""Lists and items in one document. Each costs up to 64 bytes in memory however short it is on the wire, so
that without this bound 16 MiB of `[],` would take 460 MiB."""

OBJECT_PARTS: Final = 4
"""What an object counts, with the names in it."""

_ESCAPES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
"""Every escape in JSON. Half a character is what models leave where their output was cut off: JSON can
say it, Unicode cannot."""


class TooLarge(Exception):
    """There is more than fits into the bounds."""


class Unreadable(Exception):
    """The body is not JSON."""


async def read_body(response: httpx.Response, limit: int, *, cut: bool = False) -> bytes:
    """The body of a streamed response; of a longer one its first `limit` bytes (`cut`), or TooLarge."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            if cut:
                break
            raise TooLarge
    return bytes(body[:limit])


def parsed(content: bytes) -> JsonValue:
    """The JSON in `content`; NaN and infinities pass, as Python servers write them.

    Raises TooLarge, Unreadable.
    """
    if content.count(b"{") * OBJECT_PARTS + content.count(b"[") + content.count(b",") > MAX_PARTS:
        raise TooLarge(f"more than {MAX_PARTS:,} objects, lists and items")
    try:
        document: JsonValue = from_json(_with_whole_characters(content))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return document


def _with_whole_characters(content: bytes) -> bytes:
    if b"\\ud" not in content and b"\\uD" not in content:
        return content
    return _ESCAPES.sub(lambda escape: rb"\ufffd" if escape["half"] else escape[0], content)
