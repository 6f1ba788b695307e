"""Makes text from outside fit to be shown: in one line, without what looks like a credential.

What is shown of an evaluator's answers passes `readable` (messages) or `one_line` (names), and what is logged
passes `printable`. The values that an evaluator was given are masked before that, by `known_secrets`.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "CONTROLS",
    "MASK",
    "escaped",
    "one_line",
    "printable",
    "readable",
    "readable_lines",
    "redacted",
    "shortened",
]

MASK: Final = "******"
"""NeMo's own."""

MAX_TEXT_CHARACTERS: Final = 16_384
"""Searched of one message. Much longer than what is shown, so that a cut never leaves half a secret."""

SECRET_SHAPES: Final = re.compile(
    r"(?P<scheme>\b(?:bearer|basic)\s+)\S+|\b(?:sk|hf|nvapi|ghp|glpat)[-_][\w-]{6,}|(?P<userinfo>://)[^/@\s]+@",
    re.IGNORECASE,
)
"""Pattern of credentials; evaluators and model endpoints quote them in their messages."""

CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""Characters that move a terminal's cursor or reverse its text; no readable text needs them."""


def redacted(text: str) -> str:
    """Return `text` with a mask in place of everything that looks like a credential."""
    return SECRET_SHAPES.sub(lambda found: f"{found['scheme'] or found['userinfo'] or ''}{MASK}", text)


def one_line(text: str, limit: int) -> str:
    """Return a name or number from outside in one line of at most `limit` characters."""
    return CONTROLS.sub(" ", text[:limit])


def readable(text: str, limit: int) -> str:
    """Return `text` in one line of at most `limit` characters, without what looks like a credential.

    A text that is cut ends with "…".
    """
    return shortened(redacted(one_line(text, MAX_TEXT_CHARACTERS)), limit)


def shortened(text: str, limit: int) -> str:
    """Return `text` with at most `limit` characters; one that is cut ends with "…"."""
    return f"{text[: limit - 1]}…" if len(text) > limit else text


def readable_lines(text: str, limit: int) -> str:
    """Return `text` as `readable` does, with its line breaks."""
    searched = text[: limit + MAX_TEXT_CHARACTERS].replace("\r\n", "\n")
    return redacted(CONTROLS.sub(_line_breaks_only, searched))[:limit]


def _line_breaks_only(found: re.Match[str]) -> str:
    return "\n" * min(found[0].count("\n"), 2) or " "


def printable(text: str) -> str:
    """Return `text` in one line of a log, without what looks like a credential; nothing is cut off."""
    return escaped(redacted(text))


def escaped(text: str) -> str:
    """Return `text` with control characters as Unicode escapes, which JSON reads as well."""
    return CONTROLS.sub(lambda found: "".join(f"\\u{ord(one):04x}" for one in found[0]), text)
