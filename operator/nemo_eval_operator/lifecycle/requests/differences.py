"""The fields in which two configs or targets differ, as texts that can be shown.

Gates, `kubectl nemoeval compare` and reports say by it why two runs are not comparable. The documents may be
those of a hostile tenant or evaluator: credentials in them are masked, and each text and the number of texts
are limited.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import readable, shortened
from nemo_eval_operator.json_types import JsonObject

from .plain_secrets import mask_plain_secrets
from .target_paths import Step, shown

__all__ = ["NOT_SET", "Difference", "Differences", "differences"]

NOT_SET: Final = "not set"
"""Shown for a field that is absent or null."""

OBJECT: Final = "{…}"
"""Shown for an object in place of a simple value of the other; its fields follow one by one."""

NOT_SHOWN: Final = "another value, which differs in what is not shown"
"""Shown for a value whose text is that of the other, as credentials in it are masked."""

MAX_DIFFERENCES: Final = 20
"""Differences that are shown; of the others the number is known."""

MAX_PATH_CHARACTERS: Final = 120

MAX_VALUE_CHARACTERS: Final = 80

MAX_COMPARED_CHARACTERS: Final = 16_384
"""Of a value's text in which the first difference is looked for."""

CONTEXT_CHARACTERS: Final = 20
"""Shown of two long values before their first difference."""

MAX_DEPTH: Final = 24
"""Levels of a document; values below them are compared as a whole."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field, and its value in either document."""

    path: str
    first: str
    second: str

    @property
    def text(self) -> str:
        """Return `params.temperature: 0 and not set`."""
        return f"{self.path}: {self.first} and {self.second}"


@dataclass(frozen=True, slots=True)
class Differences:
    """The first differences in the order of their paths, and how many are left out."""

    found: tuple[Difference, ...] = ()
    left_out: int = 0

    def text(self, limit: int) -> str:
        """Return the first differences, at most `limit`: `params.temperature: 0 and not set; and 2 more`."""
        more = len(self.found[limit:]) + self.left_out
        named = [one.text for one in self.found[:limit]]
        return "; ".join([*named, f"and {more} more"] if more else named)


def differences(first: JsonObject, second: JsonObject) -> Differences:
    """Return the fields in which two documents differ.

    The values of credentials are not compared. A list is compared as a whole, unless both have the same
    number of objects.
    """
    first, second = deepcopy(first), deepcopy(second)
    mask_plain_secrets(first)
    mask_plain_secrets(second)
    places = _places(first, second, ())
    found = tuple(_difference(*one) for one in islice(places, MAX_DIFFERENCES))
    return Differences(found, sum(1 for _ in places))


Place = tuple[tuple[Step, ...], str, str]
"""A path, and the whole text of the value of either document there."""


def _places(first: JsonValue, second: JsonValue, path: tuple[Step, ...]) -> Iterator[Place]:
    if _text(first) == _text(second):
        return
    if len(path) == MAX_DEPTH:
        yield path, _whole(first), _whole(second)
        return
    match _opened(first, second), _opened(second, first):
        case dict(before), dict(after):
            for key in sorted(before.keys() | after.keys()):
                yield from _places(before.get(key), after.get(key), (*path, key))
        case list(before), list(after) if len(before) == len(after) and _are_objects([*before, *after]):
            for index, pair in enumerate(zip(before, after, strict=True)):
                yield from _places(*pair, (*path, index))
        case dict(before), (str() | int() | float()) if before:
            yield path, OBJECT, _whole(second)
            yield from _places(before, {}, path)
        case ((str() | int() | float()), dict(after)) if after:
            yield path, _whole(first), OBJECT
            yield from _places({}, after, path)
        case _:
            yield path, _whole(first), _whole(second)


def _opened(value: JsonValue, other: JsonValue) -> JsonValue:
    """Return `value`; an empty object where it is not set, and the fields of the other are shown one by one.

    They are where that is one field, or none has fields of its own.
    """
    fields = other if isinstance(other, dict) else {}
    is_simple = len(fields) == 1 or not any(isinstance(one, dict) for one in fields.values())
    return {} if value is None and fields and is_simple else value


def _are_objects(values: list[JsonValue]) -> bool:
    return all(isinstance(one, dict) for one in values)


def _difference(path: tuple[Step, ...], first: str, second: str) -> Difference:
    before, after = (readable(text, MAX_COMPARED_CHARACTERS) for text in (first, second))
    where = readable(shown(path), MAX_PATH_CHARACTERS)
    if before == after:
        return Difference(where, shortened(before, MAX_VALUE_CHARACTERS), NOT_SHOWN)
    start = 0
    if max(len(before), len(after)) > MAX_VALUE_CHARACTERS:
        start = max(0, _first_difference(before, after) - CONTEXT_CHARACTERS)
    return Difference(where, _from(before, start), _from(after, start))


def _first_difference(first: str, second: str) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))


def _from(text: str, start: int) -> str:
    return shortened(f"…{text[start:]}" if start else text, MAX_VALUE_CHARACTERS)


def _whole(value: JsonValue) -> str:
    return NOT_SET if value is None else _text(value)


def _text(value: JsonValue) -> str:
    """Return the value as JSON, in which 0, 0.0 and false are different values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
