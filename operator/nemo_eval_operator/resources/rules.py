"""CEL rules, written beside the fields they guard.

The API server checks them on every write, so that a manifest is refused where it is applied and with a
sentence that says what to change. A model takes a rule as `json_schema_extra`; the CRD generator copies it.
"""

from typing import Any

Rule = dict[str, str]

VALIDATIONS = "x-kubernetes-validations"

# Field names of ours that are words of CEL: Kubernetes wants them written __so__.
_RESERVED = frozenset({"namespace"})


def rule(expression: str, message: str) -> Rule:
    """`expression` must hold for the value (`self`; `oldSelf` is the value before the write)."""
    return {"rule": expression, "message": message}


def immutable(field: str, message: str) -> Rule:
    """`field` keeps its value; adding or removing it is a change too. For the object that has the field."""
    name = f"__{field}__" if field in _RESERVED else field
    kept = f"has(self.{name}) == has(oldSelf.{name})"
    equal = f"(!has(self.{name}) || self.{name} == oldSelf.{name})"
    return rule(f"{kept} && {equal}", message)


def exactly_one(first: str, second: str, message: str) -> Rule:
    """Of two fields one is set, and not both. For the object that has them."""
    return rule(f"has(self.{first}) != has(self.{second})", message)


def validations(*rules: Rule) -> dict[str, Any]:
    """`json_schema_extra` for a model or a field that carries `rules`."""
    return {VALIDATIONS: list(rules)}
