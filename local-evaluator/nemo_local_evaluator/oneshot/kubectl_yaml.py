"""YAML as kubectl reads it, so that a file means here what it means in a cluster.

kubectl follows go-yaml v2 and then converts to JSON. PyYAML differs in plain scalars: it reads `1e-5` as
text, `12:30` as a number to base 60 and `y` as text, and it keeps the last of two equal keys.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable
from typing import Any, Final

import yaml
from typing_extensions import override

__all__ = ["KubectlLoader"]

_TAG: Final = "tag:yaml.org,2002:"
_TRUE: Final = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE: Final = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL: Final = re.compile(r"~|null|Null|NULL|")
_BOOL: Final = re.compile("|".join(sorted(_TRUE | _FALSE)))
_MERGE: Final = re.compile("<<")
# As Go's strconv.ParseInt with base 0: octal with a leading 0 or 0o. Underscores may stand anywhere.
_INT: Final = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[1-9][0-9_]*|0)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAX_INTEGER: Final = 2**63 - 1
"""Larger whole numbers become floats when JSON is read in a cluster."""


class KubectlLoader(yaml.SafeLoader):
    """Raise yaml.YAMLError for equal keys, and for numbers that JSON does not have."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()

    @override
    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Once: merging `<<` into a node may give it two equal keys, of which the later one holds.
        if id(node) not in self._checked:
            self._checked.add(id(node))
            self._refuse_equal_keys(node)
        super().flatten_mapping(node)

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        return {
            self._key(key_node): self.construct_object(value_node, deep=deep)
            for key_node, value_node in node.value
        }

    def _refuse_equal_keys(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self._key(key_node)
            if key in seen:
                problem = f"key {key!r} is already set in this mapping"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)

    def _key(self, node: yaml.Node) -> str:
        """Return a key as JSON has it."""
        if not isinstance(node, yaml.ScalarNode):
            problem = "a key is an object or a list"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        if node.tag == f"{_TAG}merge":
            return str(node.value)
        key = self.construct_object(node)
        if isinstance(key, bool):
            return str(key).lower()
        return "null" if key is None else str(key)


def _bool(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    return str(loader.construct_scalar(node)) in _TRUE


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float | str:
    written = str(loader.construct_scalar(node))
    text = written.replace("_", "")
    octal = re.fullmatch(r"([-+]?)0([0-7]+)", text)
    try:
        number = int(f"{octal[1]}{octal[2]}", 8) if octal else int(text, 0)
    except ValueError:
        return written
    return number if abs(number) <= _MAX_INTEGER else float(number)


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).replace("_", "")
    number = float(re.sub(r"\.(?=inf|nan)", "", text, flags=re.IGNORECASE))
    if not math.isfinite(number):
        raise yaml.constructor.ConstructorError(None, None, f"JSON has no number {text}", node.start_mark)
    # 1.0 is 1 in JSON, and an integer when a cluster reads it.
    return int(number) if number.is_integer() and abs(number) <= _MAX_INTEGER else number


_SCALARS: Final[tuple[tuple[str, re.Pattern[str], list[str] | None, Callable[..., object] | None], ...]] = (
    ("null", _NULL, ["~", "n", "N", ""], None),
    ("bool", _BOOL, list("yYnNtTfFoO"), _bool),
    ("merge", _MERGE, ["<"], None),
    ("int", _INT, list("-+0123456789"), _int),
    ("float", _FLOAT, list("-+.0123456789"), _float),
    ("float", _SPECIAL, list("-+."), None),
)

for _name, _pattern, _first, _construct in _SCALARS:
    # PyYAML matches from the start only.
    KubectlLoader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern.pattern})$"), _first)
    if _construct is not None:
        KubectlLoader.add_constructor(_TAG + _name, _construct)
