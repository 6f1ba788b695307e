"""The values that one evaluator was given, whose they are, and in which texts each of them is masked.

A value belongs to the object that it was sent for, and the evaluator's credentials to the evaluator. Tenants
choose their values, so each of them masks only what it cannot spoil for others:

- in a message: the values of the object that the message is about, and the evaluator's credentials;
- in the texts of a stored document: those of them that are not words;
- in messages and documents about other objects: values that were read from Secrets and look random.

Names, numbers and ids are never masked, and no decision depends on a masked text. All bounds are of one
object or one namespace: no tenant's values displace those of another.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Final

from pydantic import JsonValue
from pydantic_core import to_json

from .secret_search import MIN_SECRET_CHARACTERS, SecretIndex, Span, masked

__all__ = ["MAX_SECRET_CHARACTERS", "MAX_SECRET_LINES", "KnownSecrets", "Redactor", "fits"]

MAX_SECRET_CHARACTERS: Final = 16 * 1024
"""Limit of all values of an object or connection together."""

MAX_SECRET_LINES: Final = 256
"""The same in lines: each is masked by itself, as servers quote single lines of a private key. An RSA key of
4,096 bits has 52."""

MAX_KEPT: Final = 4
"""Sets of values within these limits of one object: its own, its benchmark's, and earlier versions."""

MAX_TENANT_CHARACTERS: Final = 1024 * 1024
"""Limit of the values of all objects of a namespace; beyond it, the objects seen longest ago lose theirs."""

MAX_SHARED_LINES: Final = 256
"""Lines of one namespace that are masked in texts about objects of others too."""

MIN_SPECIFIC_CHARACTERS: Final = 8
MIN_RANDOM_CHARACTERS: Final = 16

CHANGES_IN_RANDOM: Final = 5
"""Characters of a random value among which at least one is of another kind than the one before it."""


def is_word(value: str) -> bool:
    """Return whether `value` may occur by chance, as the placeholders `ollama` and `not-needed` do."""
    shortest = MIN_SPECIFIC_CHARACTERS if any(map(str.isdecimal, value)) else MIN_RANDOM_CHARACTERS
    return len(value) < shortest


def is_random(value: str) -> bool:
    """Return whether `value` looks generated: long, without blanks, letters and digits mixed."""
    kinds = [(one.isdecimal(), one.isupper()) for one in value if one.isalnum()]
    changes = sum(one != other for one, other in pairwise(kinds))
    whole = len(value) >= MIN_RANDOM_CHARACTERS and not any(map(str.isspace, value))
    return whole and any(map(str.isdecimal, value)) and changes * CHANGES_IN_RANDOM > len(kinds)


def fits(values: Iterable[str]) -> bool:
    """Return whether these values of one object are few and short enough to be masked."""
    texts = list(values)
    if sum(map(len, texts)) > MAX_SECRET_CHARACTERS:
        return False
    return sum(len(text.splitlines()) for text in texts) <= MAX_SECRET_LINES


@dataclass(frozen=True, slots=True)
class _Values:
    """Secret values of one object: those read from Secrets, and those written in its spec."""

    read: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()

    @property
    def characters(self) -> int:
        return sum(map(len, (*self.read, *self.plain)))

    def shared(self) -> set[str]:
        return {line for line in _lines(self.read) if is_random(line)}


@dataclass(slots=True)
class _Tenant:
    """Values of one namespace, by object, the least recently seen object first."""

    objects: OrderedDict[Hashable, _Values] = field(default_factory=OrderedDict)
    characters: int = 0
    shared: Counter[str] = field(default_factory=Counter)
    """Number of its objects that have each line which is masked for others too."""


class KnownSecrets:
    """The values that one evaluator was given. `credentials` are those of the way to it."""

    def __init__(self, credentials: Iterable[str] = ()) -> None:
        self._credentials = _Lines(_fitting(credentials))
        self._tenants: dict[str, _Tenant] = {}
        self._tenant_of: dict[Hashable, str] = {}
        self._shared = SecretIndex()

    @property
    def characters(self) -> int:
        """Length of all values of objects that are kept."""
        return sum(tenant.characters for tenant in self._tenants.values())

    @property
    def windows(self) -> int:
        """Entries of the index of values that are masked for all."""
        return self._shared.windows

    def use(self, credentials: Iterable[str]) -> None:
        """The evaluator is called with these credentials from now on; it may still quote the ones before."""
        self._credentials = _Lines(_fitting((*credentials, *self._credentials.values)))

    def keep(self, owner: Hashable, tenant: str, *, read: Iterable[str], plain: Iterable[str] = ()) -> None:
        """Mask these values of `owner`, an object of the namespace `tenant`, until it is forgotten.

        Those that were kept before are kept as well, as far as they fit: what runs was given them.
        """
        before = self._tenants[tenant].objects.get(owner, _Values()) if tenant in self._tenants else _Values()
        values = _Values(_fitting((*read, *before.read)), _fitting((*plain, *before.plain)))
        if values == before:
            return
        self.forget(owner)
        room = self._tenants.setdefault(tenant, _Tenant())
        self._tenant_of[owner] = tenant
        room.objects[owner] = values
        room.characters += values.characters
        for line in values.shared():
            if line in room.shared or len(room.shared) < MAX_SHARED_LINES:
                room.shared[line] += 1
                self._shared.add(line)
        while room.characters > MAX_TENANT_CHARACTERS:
            self.forget(next(iter(room.objects)))

    def forget(self, owner: Hashable) -> None:
        """The object is gone; the memory of its values is given back."""
        tenant = self._tenant_of.pop(owner, None)
        if tenant is None:
            return
        room = self._tenants[tenant]
        values = room.objects.pop(owner)
        room.characters -= values.characters
        for line in values.shared():
            if line in room.shared:
                room.shared[line] -= 1
                self._shared.remove(line)
                if not room.shared[line]:
                    del room.shared[line]
        if not room.objects:
            del self._tenants[tenant]

    def of(self, owner: Hashable) -> Redactor:
        """Return the redactor for texts about `owner`; for an unknown owner the one for all other texts."""
        tenant = self._tenants.get(self._tenant_of.get(owner, ""))
        values = _Values() if tenant is None else tenant.objects[owner]
        return Redactor(_Lines((*values.read, *values.plain)), self._credentials, self._shared)


class _Lines:
    """Values and the lines in them, indexed when they are first searched for."""

    def __init__(self, values: Sequence[str] = ()) -> None:
        self.values = values

    @cached_property
    def all(self) -> SecretIndex:
        return SecretIndex(_lines(self.values))

    @cached_property
    def specific(self) -> SecretIndex:
        """Those that are not words."""
        return SecretIndex(line for line in _lines(self.values) if not is_word(line))

    @cached_property
    def random(self) -> SecretIndex:
        return SecretIndex(line for line in _lines(self.values) if is_random(line))


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks values in texts about one object: its own, credentials of the evaluator, and `shared` ones."""

    own: _Lines
    credentials: _Lines
    shared: SecretIndex

    def hide(self, message: str) -> str:
        """Return `message` with a mask in place of each value."""
        return masked(message, self._spans(message, self.own.all, self.credentials.all))

    def hide_in_name(self, name: str) -> str:
        """Return `name`, for example a path, with a mask in place of values that are not words."""
        return masked(name, self._specific(name))

    def hide_in(self, document: JsonValue) -> JsonValue:
        """A JSON document with values masked in its texts; keys, numbers and structure stay as they are."""
        whole = to_json(document, inf_nan_mode="null").decode()
        return self._hidden(document) if self._specific(whole) else document

    def is_in_id(self, identifier: str) -> bool:
        """Return whether an id, which is never masked, holds a value that is not a word."""
        own = (value in identifier for value in self.own.values if not is_word(value))
        return any(own) or bool(self.credentials.specific.spans(identifier))

    def is_in_names(self, document: JsonValue) -> bool:
        """Return whether a key, which is never masked, holds a value that looks random."""
        names = "\n".join(_keys(document))
        return bool(self.own.random.spans(names) or self.credentials.random.spans(names))

    def _hidden(self, document: JsonValue) -> JsonValue:
        match document:
            case str():
                return self.hide_in_name(document)
            case list():
                return [self._hidden(item) for item in document]
            case dict():
                return {key: self._hidden(item) for key, item in document.items()}
            case _:
                return document

    def _specific(self, text: str) -> list[Span]:
        return self._spans(text, self.own.specific, self.credentials.specific)

    def _spans(self, text: str, *indices: SecretIndex) -> list[Span]:
        return [span for index in (*indices, self.shared) for span in index.spans(text)]


def _lines(values: Iterable[str]) -> Iterator[str]:
    """Each value, and its lines where there are several."""
    seen = set[str]()
    for value in values:
        for line in (value, value.strip(), *value.splitlines()):
            if len(line.strip()) >= MIN_SECRET_CHARACTERS and line not in seen:
                seen.add(line)
                yield line


def _fitting(values: Iterable[str]) -> tuple[str, ...]:
    """Each value once; the first ones, and what still fits of the others."""
    kept, characters, lines = list[str](), 0, 0
    for value in dict.fromkeys(values):
        longer, more = characters + len(value), lines + len(value.splitlines())
        if longer <= MAX_KEPT * MAX_SECRET_CHARACTERS and more <= MAX_KEPT * MAX_SECRET_LINES:
            kept.append(value)
            characters, lines = longer, more
    return tuple(kept)


def _keys(document: JsonValue) -> Iterator[str]:
    match document:
        case list():
            for item in document:
                yield from _keys(item)
        case dict():
            for key, item in document.items():
                yield key
                yield from _keys(item)
        case _:
            return
