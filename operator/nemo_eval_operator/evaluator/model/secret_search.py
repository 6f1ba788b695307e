"""Finds many secret values in a text at once, in the forms in which servers quote them.

The cost of a search depends on the length of the text and not on the number of values. The last characters of
each form are indexed by all windows of a fixed width; of a text a window is looked up every few characters,
so that no form lies between two of them (q-gram sampling, as in approximate string matching). What is found
is then compared in full. Adding or removing a value costs the length of that value alone.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from .redaction import CONTROLS, MASK

__all__ = ["MIN_SECRET_CHARACTERS", "SecretIndex", "Span", "masked"]

MIN_SECRET_CHARACTERS: Final = 6
"""Length below which a value is not masked: it would be found in ordinary words, and protects nothing."""

SHORT_TAIL, SHORT_WINDOW = MIN_SECRET_CHARACTERS, 3
LONG_TAIL, LONG_WINDOW = 16, 12
"""Characters at a form's end that are indexed, and of one window. The texts are sampled at each
`tail - window + 1` characters: at 4 and at 5."""

COMPARED_PER_CHARACTER: Final = 16
COMPARED_AT_LEAST: Final = 1_000_000
"""Characters of forms that are compared in one search, by the text's length. Beyond it what ends like a form
counts as found, so that no choice of values and text makes a search slow."""

STALE_FORMS: Final = 64
"""Removed forms that an index may still hold windows of, beyond as many as are live."""

Span = tuple[int, int]


class SecretIndex:
    """A set of values, each counted as often as it was added."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = Counter[str]()
        self._forms = Counter[str]()
        self._short, self._long = _Tails(SHORT_TAIL, SHORT_WINDOW), _Tails(LONG_TAIL, LONG_WINDOW)
        self._stale = 0
        for value in values:
            self.add(value)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def windows(self) -> int:
        """Entries that are kept: what the index costs in memory."""
        return self._short.windows + self._long.windows

    def add(self, value: str) -> None:
        self._values[value] += 1
        if self._values[value] == 1:
            for form in forms_of(value):
                self._forms[form] += 1
                if self._forms[form] == 1:
                    self._tails_of(form).add(form)

    def remove(self, value: str) -> None:
        """Take back one `add`; the memory is given back after some of these."""
        self._values[value] -= 1
        if self._values[value]:
            return
        del self._values[value]
        for form in forms_of(value):
            self._forms[form] -= 1
            if not self._forms[form]:
                del self._forms[form]
                self._stale += 1
        if self._stale > STALE_FORMS + len(self._forms):
            self._stale = 0
            self._short, self._long = _Tails(SHORT_TAIL, SHORT_WINDOW), _Tails(LONG_TAIL, LONG_WINDOW)
            for form in self._forms:
                self._tails_of(form).add(form)

    def spans(self, text: str) -> list[Span]:
        """Return the spans of the values in `text`, in no order; they may overlap."""
        return [*self._long.spans(text, self._forms), *self._short.spans(text, self._forms)]

    def _tails_of(self, form: str) -> _Tails:
        return self._long if len(form) >= LONG_TAIL else self._short


class _Tails:
    """The ends of forms, `tail` characters each, by the windows in them."""

    def __init__(self, tail: int, window: int) -> None:
        self._tail, self._window, self._step = tail, window, tail - window + 1
        self._offsets: dict[str, int] = {}
        """Positions of each window in tails, as bits."""
        self._lengths: dict[str, tuple[int, ...]] = {}
        """Lengths of the forms with a tail, longest first."""

    @property
    def windows(self) -> int:
        return len(self._offsets)

    def add(self, form: str) -> None:
        tail = form[-self._tail :]
        lengths = {*self._lengths.get(tail, ()), len(form)}
        self._lengths[tail] = tuple(sorted(lengths, reverse=True))
        for offset in range(self._step):
            window = tail[offset : offset + self._window]
            self._offsets[window] = self._offsets.get(window, 0) | 1 << offset

    def spans(self, text: str, forms: Counter[str]) -> Iterator[Span]:
        known, width = self._offsets, self._window
        if not known:
            return
        left = max(COMPARED_AT_LEAST, COMPARED_PER_CHARACTER * len(text))
        for begin in range(0, len(text) - width + 1, self._step):
            if (offsets := known.get(text[begin : begin + width])) is None:
                continue
            for offset in range(self._step):
                if offsets >> offset & 1 and begin >= offset:
                    end = begin - offset + self._tail
                    length, compared = self._compared(text, end, forms, left)
                    left -= compared
                    if length:
                        yield max(0, end - length), end

    def _compared(self, text: str, end: int, forms: Counter[str], left: int) -> tuple[int, int]:
        """The length of the form that ends at `end`, 0 if none does, and how much was compared for that."""
        lengths = self._lengths.get(text[end - self._tail : end], ())
        compared = 0
        for length in lengths:
            compared += length
            if compared > left:
                return lengths[0], compared
            if length <= end and text[end - length : end] in forms:
                return length, compared
        return 0, compared


def masked(text: str, spans: Iterable[Span]) -> str:
    """Return `text` with a mask in place of each span; overlapping spans get one mask."""
    parts, copied, last = list[str](), 0, -1
    for begin, end in sorted(spans):
        if begin > last:
            parts += (text[copied:begin], MASK)
        last = copied = max(last, end)
    return "".join([*parts, text[copied:]]) if parts else text


def forms_of(value: str) -> set[str]:
    """Return `value` as it is, in one line, URL- and JSON-encoded, in hexadecimal, and as part of base64."""
    encoded = value.encode(errors="replace")
    forms = {
        value,
        CONTROLS.sub(" ", value),
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        encoded.hex(),
    }
    for shift in range(3):
        standard = _base64_within(encoded, shift)
        forms |= {standard, standard.replace("+", "-").replace("/", "_")}
    forms |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in forms}
    return {form for form in forms if len(form) >= MIN_SECRET_CHARACTERS}


def _base64_within(encoded: bytes, shift: int) -> str:
    """The characters that stand for `encoded` alone in the base64 of something longer.

    What comes before it can be 0, 1 or 2 bytes off a group of three; characters that
    the neighbours also shape are left out.
    """
    text = base64.b64encode(bytes(shift) + encoded).decode().rstrip("=")
    begin = (shift * 8 + 5) // 6
    whole = (shift + len(encoded)) * 8 // 6
    return text[begin:whole]
