"""Bodies of answers, read and parsed within bounds: a server must not exhaust the operator's memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import JsonValue
from pydantic_core import from_json

from nemo_eval_operator.evaluator.model import parts_of

__all__ = ["Bounds", "Parse", "TooLarge", "Unreadable", "parsed", "read_body"]

MAX_HALVES: Final = 250_000
"""Halves of characters in one document, each of which is replaced."""

_HEX: Final = rb"[0-9a-fA-F]"

_HALF: Final = re.compile(
    rb"\\u[dD](?:[89abAB]" + _HEX * 2 + rb"(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F]" + _HEX * 2 + rb")",
    re.DOTALL,
)
"""A surrogate without its other half, in JSON without escaped backslashes. Models leave it where their output
was cut off: JSON can say it, Unicode cannot."""

ESCAPED_BACKSLASH: Final = rb"\\"

PLACEHOLDER: Final = b"\xff\xff"
"""Stands for an escaped backslash while halves are replaced. No UTF-8 has this byte."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one answer: its bytes, and its parts, which are objects, lists and items.

    A part takes up to 64 bytes of memory and 0.5 us, however short it is on the wire: without a bound 16 MiB
    of `[],` would take 460 MiB.
    """

    size: int
    parts: int


MAX_CHUNKS: Final = 10_000
MIN_CHUNK_BYTES: Final = 64
"""A body has at most one chunk for so many bytes, and MAX_CHUNKS more: each costs microseconds of CPU."""


Parse = Callable[[bytes], JsonValue]
"""Parser of JSON. Raises ValueError for anything else."""


class TooLarge(Exception):
    """The body exceeds the bounds."""


class Unreadable(Exception):
    """The body is not JSON."""


async def read_body(response: httpx.Response, limit: int, *, cut: bool = False) -> bytes:
    """Return the body; of a longer one its first `limit` bytes if `cut`, else raise TooLarge."""
    body, chunks = bytearray(), 0
    async for chunk in response.aiter_bytes():
        body += chunk
        chunks += 1
        if len(body) > limit or chunks > MAX_CHUNKS + len(body) // MIN_CHUNK_BYTES:
            if cut:
                break
            raise TooLarge
    return bytes(body[:limit])


def parsed(content: bytes, max_parts: int, parse: Parse = from_json) -> JsonValue:
    """Return the JSON in `content`; NaN and infinities pass, as Python servers write them.

    Raises TooLarge, Unreadable.
    """
    if parts_of(content) > max_parts:
        raise TooLarge(f"more than {max_parts:,} objects, lists and items")
    try:
        document: JsonValue = parse(_with_whole_characters(content))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return document


def _with_whole_characters(content: bytes) -> bytes:
    """Return `content` with U+FFFD for each half of a character, in linear time. Raises TooLarge."""
    if b"\\ud" not in content and b"\\uD" not in content:
        return content
    if PLACEHOLDER[:1] in content:
        # Not UTF-8: the parser says so.
        return content
    unescaped = content.replace(ESCAPED_BACKSLASH, PLACEHOLDER)
    whole, halves = _HALF.subn(rb"\\ufffd", unescaped, count=MAX_HALVES + 1)
    if halves > MAX_HALVES:
        raise TooLarge(f"more than {MAX_HALVES:,} halves of characters")
    return whole.replace(PLACEHOLDER, ESCAPED_BACKSLASH)
