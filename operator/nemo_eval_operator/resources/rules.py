"""CEL rules, written beside the fields they guard.

The API server checks them on every write, so that a manifest is refused where it is applied and with a
sentence that says what to change. A model takes a rule as `json_schema_extra`; the CRD generator copies it.
"""

from __future__ import annotations

from typing import Any, Final

Rule = dict[str, str]

VALIDATIONS = "x-kubernetes-validations"

# Names of configs: NVIDIA documents no pattern for v1, and they become parts of URL paths.
CONFIG_NAME: Final = "[A-Za-z0-9][A-Za-z0-9._@+~:-]{0,254}"

# Field names of the API that are keywords of CEL: Kubernetes expects __name__ for them.
_RESERVED = frozenset({"namespace"})


def rule(expression: str, message: str) -> Rule:
    """`expression` must hold for the value (`self`; `oldSelf` is the value before the write)."""
    return {"rule": expression, "message": message}


def fit_for_path(field: str) -> Rule:
    """`field` is a name that is a part of a URL path as it is. For the object that has the field."""
    name = f"__{field}__" if field in _RESERVED else field
    return rule(
        f"!has(self.{name}) || self.{name}.matches('^{CONFIG_NAME}$')",
        f"{field}: begin it with a letter or digit, and use only letters, digits and ._@+~:- "
        "(at most 255 characters)",
    )


def immutable(field: str, message: str) -> Rule:
    """`field` keeps its value; adding or removing it is a change too. For the object that has the field."""
    name = f"__{field}__" if field in _RESERVED else field
    kept = f"has(self.{name}) == has(oldSelf.{name})"
    equal = f"(!has(self.{name}) || self.{name} == oldSelf.{name})"
    return rule(f"{kept} && {equal}", message)


def exactly_one(first: str, second: str, message: str) -> Rule:
    """Of two fields one is set, and not both. For the object that has them."""
    return rule(f"has(self.{first}) != has(self.{second})", message)


def tasks_need_metrics() -> Rule:
    """Each task has metrics, or a group measures it, in configs that bring no metrics. For the config."""
    kinds = ("custom", "similarity_metrics")
    named = ", ".join(f"'{kind}'" for kind in kinds)
    return rule(
        f"!(self.type in [{named}]) || !has(self.tasks) || has(self.groups)"
        " || self.tasks.all(t, has(self.tasks[t].metrics) && size(self.tasks[t].metrics) > 0)",
        f"each task of a config of type {' or '.join(kinds)} needs metrics, or nothing is measured: add "
        "tasks.NAME.metrics",
    )


def validations(*rules: Rule) -> dict[str, Any]:
    """`json_schema_extra` for a model or a field that carries `rules`."""
    return {VALIDATIONS: list(rules)}
