"""`tool_call_accuracy` as Ragas defines it: did an agent call the tools it should, in that order; 0 to 1.

The sample is a whole conversation; see `ragas.metrics.ToolCallAccuracy` (strict order).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nemo_local_evaluator.templating import Context, TemplateEnvironment
from nemo_local_evaluator.wire.errors import SampleFailed
from nemo_local_evaluator.wire.problems import first_problem

from .base import Scored

__all__ = ["ToolCallAccuracy"]


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Call(BaseModel):
    name: str
    args: dict[str, Any] = Field(default_factory=dict)


class _Message(BaseModel):
    type: str
    tool_calls: list[_Call] | None = None


class _Conversation(BaseModel):
    user_input: list[_Message]
    reference_tool_calls: list[_Call]


class ToolCallAccuracy:
    def __init__(self, params: Mapping[str, Any], _environment: TemplateEnvironment) -> None:
        _Params.model_validate(params)

    def score(self, context: Context) -> Scored:
        try:
            conversation = _Conversation.model_validate(context["item"])
        except ValidationError as error:
            raise SampleFailed(first_problem(error, within="item")) from error
        called = [
            call
            for message in conversation.user_input
            if message.type == "ai"
            for call in message.tool_calls or []
        ]
        return Scored({"tool_call_accuracy": _accuracy(called, conversation.reference_tool_calls)})


def _accuracy(called: list[_Call], expected: list[_Call]) -> float:
    if not called or not expected:
        return float(called == expected)
    if not _in_order([call.name for call in expected], [call.name for call in called]):
        return 0.0
    unmatched = list(called)
    total = 0.0
    for reference in expected:
        candidates = [call for call in unmatched if call.name == reference.name]
        best = max(candidates, key=lambda call: _argument_score(call.args, reference.args), default=None)
        if best is not None and (score := _argument_score(best.args, reference.args)):
            total += score
            unmatched = [call for call in unmatched if call is not best]
    return total / len(expected)


def _in_order(names: list[str], among: list[str]) -> bool:
    """Return whether `among` has all names in this order, perhaps with others in between."""
    rest = iter(among)
    return all(name in rest for name in names)


def _argument_score(called: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    """The share of expected arguments that were given; values are compared by their text."""
    if not expected:
        return float(not called)
    given = [str(called[name]) == str(value) for name, value in expected.items() if name in called]
    return sum(given) / len(expected)
