"""Prints a verdict: as lines for people, as Markdown for pull requests, as JSON for programs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Final

from nemo_eval_operator.evaluator.model import readable

from .judging import CriterionResult, Judgement

__all__ = ["as_json", "as_markdown", "as_text", "markdown_cell"]

MAX_CHARACTERS: Final = 500
"""Shown of a name or message: names of scores are the evaluator's."""


ESCAPED: Final = {ord(character): f"&#{ord(character)};" for character in "\\`*_{}[]<>|&"}
"""What would be a column, HTML or a link in a Markdown table."""


def as_text(judgement: Judgement) -> str:
    """Return the verdict, and a line for each criterion."""
    lines = [
        f"{_shown(one.score)}: {one.result} ({one.tier}). {_shown(one.message)}" for one in judgement.criteria
    ]
    return "\n".join([_headline(judgement), *(f"  {line}" for line in lines)])


def as_markdown(judgement: Judgement) -> str:
    """Return the verdict with a table of the criteria."""
    rows = [
        f"| {markdown_cell(one.score)} | {one.tier} | {one.result} | {_number(one.value)}"
        f" | {_number(one.baseline)} | {_change(one)} | {markdown_cell(one.message)} |"
        for one in judgement.criteria
    ]
    head = "| score | tier | result | value | baseline | change | |\n|---|---|---|---|---|---|---|"
    return "\n".join([f"**{_headline(judgement)}**", "", head, *rows])


def as_json(judgement: Judgement) -> str:
    """Return everything that was found, with the names that status uses."""
    criteria = [
        {_camel(name): value for name, value in asdict(one).items() if _is_known(value)}
        for one in judgement.criteria
    ]
    document = {"verdict": judgement.verdict, "passed": judgement.passed, "criteria": criteria}
    return json.dumps(document, indent=2, allow_nan=False)


def _is_known(value: object) -> bool:
    """Whether JSON can hold it: an interval without statistics has no bounds."""
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _headline(judgement: Judgement) -> str:
    allowed = ", which this gate lets pass" if judgement.passed and judgement.verdict != "Passed" else ""
    return f"{judgement.verdict}{allowed}"


def _change(one: CriterionResult) -> str:
    if one.delta is None:
        return ""
    interval = "" if one.delta_low is None else f" ({one.delta_low:+.4f} to {one.delta_high:+.4f})"
    return f"{one.delta:+.4f}{interval}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def markdown_cell(text: str) -> str:
    """Return text of an evaluator as a cell of a Markdown table."""
    return _shown(text).translate(ESCAPED)


def _shown(text: str) -> str:
    return " ".join(readable(text, MAX_CHARACTERS).split())


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
