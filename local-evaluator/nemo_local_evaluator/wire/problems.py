"""What pydantic refuses, in words for users: where it is, and what to change.

No value is repeated, since it may be secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

__all__ = ["all_problems", "first_problem", "in_words"]

_WHOLE_NUMBER: Final = "must be a whole number"

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "json_invalid": "is not JSON",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "string_type": "must be text",
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _WHOLE_NUMBER),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must be an object"),
}
"""Words by pydantic's type of an error, with the limits of its context."""


def first_problem(error: ValidationError, *, within: str = "") -> str:
    """Return the first of an error's problems and its place, which begins with `within`."""
    problem = error.errors(include_url=False, include_input=False)[0]
    place = _place(problem, within)
    return f"{place}: {in_words(problem)}" if place else in_words(problem)


def all_problems(error: ValidationError) -> str:
    """Return each problem with its place; that of a whole document is `it`."""
    return "; ".join(
        f"{_place(one, '') or 'it'}: {in_words(one)}"
        for one in error.errors(include_url=False, include_input=False)
    )


def in_words(problem: ErrorDetails) -> str:
    """Return what is wrong, without its place."""
    context = problem.get("ctx", {})
    if context.get("min_length") == 1:
        return "must not be empty"
    if (words := _WORDS.get(problem["type"])) is not None:
        return words.format_map(
            {name: f"{one:g}" if isinstance(one, float) else one for name, one in context.items()}
        )
    return problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)


def _place(problem: ErrorDetails, within: str) -> str:
    return ".".join(filter(None, [within, *map(str, problem["loc"])]))
