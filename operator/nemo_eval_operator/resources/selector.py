"""Label selectors as kubectl writes them: the API server filters by the text, we by what it means.

Ours is needed where an object was read by name, not watched: a job's benchmark may be another operator's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["BadSelector", "LabelSelector"]

_COMMA: Final = re.compile(r",(?![^(]*\))")
_KEY: Final = r"(?P<key>([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)"
_VALUE: Final = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_EQUALITY: Final = re.compile(rf"{_KEY}\s*(?P<operator>==?|!=)\s*(?P<values>{_VALUE})")
_SET: Final = re.compile(
    rf"{_KEY}\s+(?P<operator>in|notin)\s*\(\s*(?P<values>{_VALUE}(\s*,\s*{_VALUE})*)\s*\)"
)
_EXISTENCE: Final = re.compile(rf"(?P<operator>!?)\s*{_KEY}")


class BadSelector(ValueError):
    """A text that the API server would not take as a label selector."""


@dataclass(frozen=True, slots=True)
class _Requirement:
    key: str
    values: frozenset[str] | None
    """None: any value, as long as there is one."""
    negated: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        if match := _EQUALITY.fullmatch(text) or _SET.fullmatch(text):
            values = frozenset(value.strip() for value in match["values"].split(","))
            return cls(match["key"], values, negated=match["operator"] in {"!=", "notin"})
        if match := _EXISTENCE.fullmatch(text):
            return cls(match["key"], None, negated=match["operator"] == "!")
        raise BadSelector(f"{text!r} is not a requirement of a label selector")

    def is_met_by(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        found = value is not None and (self.values is None or value in self.values)
        return found != self.negated


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements have to be met; without any, every object is."""

    text: str = ""
    requirements: tuple[_Requirement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadSelector."""
        if not text.strip():
            return cls()
        return cls(text, tuple(_Requirement.parse(part.strip()) for part in _COMMA.split(text)))

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.is_met_by(labels) for requirement in self.requirements)
