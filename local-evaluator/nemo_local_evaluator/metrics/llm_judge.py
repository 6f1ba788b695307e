"""`llm-judge`: scores that a model gives, by a prompt and parsers from the config.

A score is read from the judge's answer by a regex, whose first group counts, or by its place in JSON. It is a
number, or a label of a rubric that says what the label is worth. What cannot be read is not-a-number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, field_validator

from nemo_local_evaluator.templating import Context, Prompt, TemplateEnvironment
from nemo_local_evaluator.wire.schemas import Params

from .base import Scored

__all__ = ["LlmJudge"]

_MAX_SHOWN: Final = 200


class _RegexParser(BaseModel):
    type: Literal["regex"]
    pattern: str
    method: Literal["match", "search"] = "match"
    """`match`: the pattern has to match from the answer's beginning; `search`: anywhere."""

    @field_validator("pattern")
    @classmethod
    def _has_a_group(cls, pattern: str) -> str:
        try:
            compiled = re.compile(pattern)
        except (re.error, OverflowError) as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if not compiled.groups:
            raise ValueError("the pattern needs a group, which is the score")
        return pattern

    def read(self, text: str, _name: str) -> object:
        matched = re.match(self.pattern, text) if self.method == "match" else re.search(self.pattern, text)
        if matched is None:
            where = "at the beginning of" if self.method == "match" else "in"
            raise _Unreadable(f"pattern {self.pattern[:_MAX_SHOWN]!r} is not {where} {text[:_MAX_SHOWN]!r}")
        return matched[1]


class _JsonParser(BaseModel):
    type: Literal["json"] = "json"
    json_path: str | None = None
    """Keys with dots between them; the score's name where absent."""

    def read(self, text: str, name: str) -> object:
        path = self.json_path or name
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _Unreadable(f"not JSON: {text[:_MAX_SHOWN]!r}") from error
        for key in path.removeprefix("$.").split("."):
            if not isinstance(found, dict) or key not in found:
                raise _Unreadable(f"nothing at {path!r} in {text[:_MAX_SHOWN]!r}")
            found = found[key]
        return found


class _Level(BaseModel):
    label: str
    value: float


class _Score(BaseModel):
    """May have more keys, for the prompt: templates see all scores as `scores`."""

    type: Literal["int", "integer", "float", "number", "bool", "boolean", "rubric"] | None = None
    rubric: list[_Level] | None = Field(default=None, min_length=1)
    parser: Annotated[_RegexParser | _JsonParser, Field(discriminator="type")] = Field(
        default_factory=_JsonParser
    )

    def value(self, found: object) -> float:
        if self.rubric is not None:
            worth = {level.label: level.value for level in self.rubric}
            if isinstance(found, str) and found in worth:
                return worth[found]
            raise _Unreadable(f"{found!r:.200} is not a label of the rubric")
        value = _number(found, from_text=isinstance(self.parser, _RegexParser))
        if self.type in {"int", "integer"} and not value.is_integer():
            raise _Unreadable(f"{found!r:.200} is not a whole number")
        return value


class _Params(BaseModel):
    template: Any = None
    scores: dict[str, _Score] = Field(min_length=1)


class LlmJudge:
    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        checked = _Params.model_validate(params)
        self._scores = checked.scores
        self._definitions = params["scores"]
        self._prompt = Prompt(
            owner="metric 'llm-judge'",
            kind="chat-completion",
            template=checked.template,
            params=Params(),
            environment=environment,
        )

    def request(self, context: Context) -> dict[str, Any]:
        return self._prompt.request({"scores": self._definitions, **context})

    def parse(self, text: str) -> Scored:
        values: dict[str, float] = {}
        problems = []
        for name, score in self._scores.items():
            try:
                values[name] = score.value(score.parser.read(text, name))
            except _Unreadable as error:
                values[name] = math.nan
                problems.append(f"score {name!r} cannot be read: {error}")
        return Scored(values, problems=tuple(problems))


class _Unreadable(Exception):
    pass


def _number(found: object, *, from_text: bool) -> float:
    if isinstance(found, int | float) or (from_text and isinstance(found, str)):
        try:
            number = float(found)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise _Unreadable(f"{found!r:.200} is not a number")
