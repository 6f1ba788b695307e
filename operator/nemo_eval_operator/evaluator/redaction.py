"""Takes credentials out of what evaluators say, before people see it or it is kept.

Two nets: what looks like a credential, whoever's it is; and the values that we read
from Secrets and specs ourselves, in the forms in which servers quote them.
"""

from __future__ import annotations

import base64
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from pydantic import JsonValue
from pydantic_core import to_json

__all__ = ["MASK", "KnownSecrets", "escaped", "one_line", "printable", "readable", "redacted"]

MASK: Final = "******"
"""NeMo's own."""

MIN_SECRET_CHARACTERS: Final = 6
"""A shorter value is a word: masking it would spoil every text that has it, and protect nothing."""

MAX_KNOWN_SECRETS: Final = 1_024
"""Values kept in mind, the latest used. Each costs a search in every message of an evaluator."""

MAX_TEXT_CHARACTERS: Final = 16_384
"""Searched of one message. Much longer than what is shown, so that a cut never leaves half a secret."""

SECRET_SHAPES: Final = re.compile(
    r"(?P<scheme>\b(?:bearer|basic)\s+)\S+|\b(?:sk|hf|nvapi|ghp|glpat)[-_][\w-]{6,}|(?P<userinfo>://)[^/@\s]+@",
    re.IGNORECASE,
)
"""What credentials look like; evaluators and model endpoints quote them in their messages."""

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""What moves a terminal's cursor or turns its text around: none of it is for people to read."""


def redacted(text: str) -> str:
    """`text` without what looks like a credential."""
    return SECRET_SHAPES.sub(lambda found: f"{found['scheme'] or found['userinfo'] or ''}{MASK}", text)


def one_line(text: str, limit: int) -> str:
    """Return a name or number from outside in one line of at most `limit` characters."""
    return _CONTROLS.sub(" ", text[:limit])


def readable(text: str, limit: int) -> str:
    """Return `text` in one line of at most `limit` characters, without what looks like a credential."""
    return redacted(one_line(text, MAX_TEXT_CHARACTERS))[:limit]


def printable(text: str) -> str:
    """Return `text` in one line of a log, without what looks like a credential; nothing is cut off."""
    return escaped(redacted(text))


def escaped(text: str) -> str:
    """Return `text` with control characters as Unicode escapes, which JSON reads as well."""
    return _CONTROLS.sub(lambda found: "".join(f"\\u{ord(one):04x}" for one in found[0]), text)


class KnownSecrets:
    """Values that must not be shown, whoever echoes them: as they are, base64, URL- and JSON-encoded."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """Keep `values` in mind, and the lines of those that have several, such as private keys."""
        for value in values:
            for part in {value, value.strip(), *value.splitlines()}:
                if len(part.strip()) >= MIN_SECRET_CHARACTERS:
                    self._forms[part] = self._forms.pop(part, ()) or _forms(part)
        while len(self._forms) > MAX_KNOWN_SECRETS:
            self._forms.popitem(last=False)

    def hide(self, text: str) -> str:
        """`text` with a mask in place of each known value; longer values first."""
        for form in sorted((form for form in self._all() if form in text), key=len, reverse=True):
            text = text.replace(form, MASK)
        return text

    def hide_in(self, document: JsonValue) -> JsonValue:
        """A JSON document with the known values masked in its texts and keys; numbers are no secrets."""
        whole = to_json(document, inf_nan_mode="null").decode()
        return self._hidden(document) if any(form in whole for form in self._all()) else document

    def _hidden(self, document: JsonValue) -> JsonValue:
        match document:
            case str():
                return self.hide(document)
            case list():
                return [self._hidden(item) for item in document]
            case dict():
                return {self.hide(key): self._hidden(item) for key, item in document.items()}
            case _:
                return document

    def _all(self) -> Iterator[str]:
        # A copy: large documents are searched in a thread, while others learn.
        for forms in list(self._forms.values()):
            yield from forms


def _forms(value: str) -> tuple[str, ...]:
    encoded = value.encode(errors="replace")
    forms = {
        value,
        _CONTROLS.sub(" ", value),
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        encoded.hex(),
    }
    for shift in range(3):
        standard = _base64_within(encoded, shift)
        forms |= {standard, standard.replace("+", "-").replace("/", "_")}
    forms |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in forms}
    return tuple(form for form in forms if len(form) >= MIN_SECRET_CHARACTERS)


def _base64_within(encoded: bytes, shift: int) -> str:
    """The characters that stand for `encoded` alone in the base64 of something longer.

    What comes before it can be 0, 1 or 2 bytes off a group of three; characters that
    the neighbours also shape are left out.
    """
    text = base64.b64encode(bytes(shift) + encoded).decode().rstrip("=")
    begin = (shift * 8 + 5) // 6
    whole = (shift + len(encoded)) * 8 // 6
    return text[begin:whole]
