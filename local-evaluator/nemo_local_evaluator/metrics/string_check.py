"""`string-check`: one comparison of two templates, 1 where it holds. Exact; templates may `|trim|lower`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from nemo_local_evaluator.templating import Context, TemplateEnvironment

from .base import Scored

__all__ = ["Operator", "Side", "StringCheck"]

Operator = Literal[
    "equals", "==", "not equals", "!=", "<>", "contains", "not contains", "startswith", "endswith"
]
Side = str | int | float | bool

_HOLDS: Mapping[Operator, Callable[[str, str], bool]] = {
    "equals": operator.eq,
    "==": operator.eq,
    "not equals": operator.ne,
    "!=": operator.ne,
    "<>": operator.ne,
    "contains": operator.contains,
    "not contains": lambda left, right: right not in left,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid")

    check: tuple[Side, Operator, Side]


class StringCheck:
    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        left, name, right = _Params.model_validate(params).check
        self._left, self._right = environment.compile(left), environment.compile(right)
        self._holds = _HOLDS[name]

    def score(self, context: Context) -> Scored:
        holds = self._holds(self._left.render(context), self._right.render(context))
        return Scored({"string-check": float(holds)})
