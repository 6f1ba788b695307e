"""`number-check`: one comparison of the numbers in two templates, 1 where it holds.

A side's number is the last one in its text, so that an answer may say more than the number. Numbers are
decimal, as they are written: 42.5 and 42.3 differ by 0.2, which binary floats would miss.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from nemo_local_evaluator.templating import Context, TemplateEnvironment

from .base import Scored

__all__ = ["NumberCheck", "Operator", "Side"]

Operator = Literal[
    "equals",
    "==",
    "not equals",
    "!=",
    "<>",
    ">",
    "gt",
    "greater than",
    ">=",
    "gte",
    "greater than or equal",
    "<",
    "lt",
    "less than",
    "<=",
    "lte",
    "less than or equal",
]
Side = str | int | float

_DIFFERENCE: Final = "absolute difference"
_MAX_SHOWN: Final = 80
_NUMBER: Final = re.compile(r"[-+]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")

_HOLDS: Mapping[Operator, Callable[[Decimal, Decimal], bool]] = {
    "equals": operator.eq,
    "==": operator.eq,
    "not equals": operator.ne,
    "!=": operator.ne,
    "<>": operator.ne,
    ">": operator.gt,
    "gt": operator.gt,
    "greater than": operator.gt,
    ">=": operator.ge,
    "gte": operator.ge,
    "greater than or equal": operator.ge,
    "<": operator.lt,
    "lt": operator.lt,
    "less than": operator.lt,
    "<=": operator.le,
    "lte": operator.le,
    "less than or equal": operator.le,
}


class _ComparisonParams(BaseModel):
    model_config = ConfigDict(extra="forbid")

    check: tuple[Side, Operator, Side]


class _DifferenceParams(BaseModel):
    model_config = ConfigDict(extra="forbid")

    check: tuple[Literal["absolute difference"], Side, Side, Literal["epsilon"], Side]


class NumberCheck:
    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        self._holds: Callable[..., bool]
        check = params.get("check")
        if isinstance(check, list) and check[:1] == [_DIFFERENCE]:
            _, left, right, _, epsilon = _DifferenceParams.model_validate(params).check
            sides = [left, right, epsilon]
            self._holds = lambda left, right, epsilon: abs(left - right) <= epsilon
        else:
            left, name, right = _ComparisonParams.model_validate(params).check
            sides = [left, right]
            self._holds = _HOLDS[name]
        self._sides = [environment.compile(side) for side in sides]

    def score(self, context: Context) -> Scored:
        texts = [side.render(context) for side in self._sides]
        numbers = [_number(text) for text in texts]
        if None in numbers:
            problem = f"no number in {texts[numbers.index(None)][:_MAX_SHOWN]!r}"
            return Scored({"number-check": math.nan}, problems=(problem,))
        try:
            return Scored({"number-check": float(self._holds(*numbers))})
        except ArithmeticError:
            return Scored({"number-check": math.nan}, problems=("the difference is too large a number",))


def _number(text: str) -> Decimal | None:
    found = _NUMBER.findall(text)
    try:
        return Decimal(found[-1].replace(",", "")) if found else None
    except ArithmeticError:
        return None
