"""`tool-calling`: whether a model called the tools it should, 1 or 0 for each of two scores.

`function_name_accuracy` compares the functions' names, `function_name_and_args_accuracy` the arguments too.
Case counts, the order of the calls does not: a model may call in parallel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, Json, TypeAdapter, ValidationError

from nemo_local_evaluator.templating import Context, TemplateEnvironment
from nemo_local_evaluator.wire.errors import SampleFailed
from nemo_local_evaluator.wire.problems import first_problem

from .base import Scored

__all__ = ["Arguments", "ToolCalling"]


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tool_calls_ground_truth: str | list[Any]


Arguments = Annotated[dict[str, Any] | Json[dict[str, Any]] | str | None, Field(union_mode="left_to_right")]
"""A model writes JSON; text that is none stays text."""


class _Function(BaseModel):
    name: str
    arguments: Arguments = None


class _Call(BaseModel):
    function: _Function


class _Message(BaseModel):
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message


class _Response(BaseModel):
    choices: list[_Choice]


_CALLS: Final = TypeAdapter(list[_Call])


class ToolCalling:
    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        self._expected = environment.compile(_Params.model_validate(params).tool_calls_ground_truth)

    def score(self, context: Context) -> Scored:
        try:
            expected = _CALLS.validate_python(self._expected.render_json(context))
        except ValidationError as error:
            raise SampleFailed(first_problem(error, within="tool_calls_ground_truth")) from error
        called = _calls(context)
        names_match = _same(
            [call.function.name for call in called], [call.function.name for call in expected]
        )
        malformed = [call.function for call in called if isinstance(call.function.arguments, str)]
        arguments_match = math.nan if malformed else float(_same(_named(called), _named(expected)))
        return Scored(
            {
                "function_name_accuracy": float(names_match),
                "function_name_and_args_accuracy": arguments_match,
            },
            problems=tuple(
                f"arguments of {function.name!r} are no JSON object: {function.arguments!r:.200}"
                for function in malformed
            ),
        )


def _calls(context: Context) -> list[_Call]:
    """Return the calls in the model's response, or in the one that a row recorded."""
    response = context.get("sample", {}).get("response") or context["item"].get("response")
    if response is None:
        raise SampleFailed("there is no response with tool calls")
    try:
        choices = _Response.model_validate(response).choices
    except ValidationError as error:
        raise SampleFailed(first_problem(error, within="response")) from error
    return (choices[0].message.tool_calls or []) if choices else []


def _named(calls: list[_Call]) -> list[tuple[str, Any]]:
    return [(call.function.name, call.function.arguments or {}) for call in calls]


def _same(some: list[Any], others: list[Any]) -> bool:
    """The same ones equally often, in any order; dictionaries have no hash to count them by."""
    remaining = list(others)
    for one in some:
        found = next((index for index, other in enumerate(remaining) if _equal(one, other)), None)
        if found is None:
            return False
        del remaining[found]
    return not remaining


def _equal(one: Any, other: Any) -> bool:
    """Return whether two values are equal in JSON: unlike in Python true is not 1, but 1 is 1.0."""
    match one, other:
        case (bool(), _) | (_, bool()):
            return one is other
        case dict(), dict():
            return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
        case (list() | tuple(), list() | tuple()):
            return len(one) == len(other) and all(map(_equal, one, other))
        case _:
            return bool(one == other)
