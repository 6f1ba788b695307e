"""What pydantic refuses, in the words of those who write manifests: where it is, and what to change.

A path names the fields of the document: pydantic's also names the alternatives of a union, such as
`temperature.constrained-int`. These are found by following the path through the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .likely_names import most_like

__all__ = ["first_problem", "in_words"]

WHOLE_NUMBER: Final = "must be a whole number"

WORDS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    **dict.fromkeys(("string_type",), "must be text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), WHOLE_NUMBER),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must be an object"),
}
"""Words by pydantic's type of an error, with the limits of its context."""

ALTERNATIVES: Final = ("literal_error", "enum")

MAX_VALUE_CHARACTERS: Final = 60

MUST_BE: Final = "must be "


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a document an error is."""

    path: tuple[int | str, ...]
    union: tuple[int | str, ...] | None
    """Path of the outermost value that may be one of several types; None: there is no such value."""
    declared: tuple[str, ...]
    """Fields of the object that the last step is in."""


def first_problem(
    error: ValidationError, model: object, *, root: str = "", names: Mapping[str, str] | None = None
) -> str:
    """Return the first problem of a document that `model` refused, as `criteria[0].min: unknown field`.

    `root`: path of the document. `names`: what the user knows its fields by, such as an option.
    """
    problems = error.errors(include_url=False)
    places = [_place(model, one["loc"]) for one in problems]
    place, group = places[0], [0]
    if place.union is not None:
        # The alternatives that were followed furthest are those that the value was meant to be.
        same = [number for number, one in enumerate(places) if one.union == place.union]
        furthest = max(len(places[number].path) for number in same)
        group = [number for number in same if len(places[number].path) == furthest]
        place = places[group[0]]
    reasons = [in_words(problems[number], places[number].declared) for number in group]
    first, *rest = place.path or ("",)
    path = "".join((root, _step((names or {}).get(str(first), first)), *map(_step, rest))).strip(".")
    return f"{path}: {_joined(reasons)}" if path else _joined(reasons)


def in_words(problem: ErrorDetails, declared: Sequence[str] = ()) -> str:
    """Return what is wrong, without its place. `declared`: fields that the object may have."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown field{_did_you_mean(str(problem['loc'][-1]), declared)}"
    if kind in ALTERNATIVES:
        return _none_of(problem, re.findall(r"'([^']*)'", str(context.get("expected", ""))))
    if context.get("min_length") == 1:
        return "must not be empty"
    if (words := WORDS.get(kind)) is None:
        return problem["msg"].removeprefix("Value error, ")
    return words.format_map(
        {name: f"{one:g}" if isinstance(one, float) else one for name, one in context.items()}
    )


def _none_of(problem: ErrorDetails, known: Sequence[str]) -> str:
    if not known:
        return problem["msg"]
    value = problem.get("input")
    if not isinstance(value, str | int | float):
        return f"must be one of {', '.join(known)}"
    shown = f"{value!r:.{MAX_VALUE_CHARACTERS}}"
    return f"{shown} is not one of {', '.join(known)}{_did_you_mean(str(value), known)}"


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    near = most_like(name, known)
    return f"; did you mean {near}?" if near else ""


def _joined(reasons: Sequence[str]) -> str:
    """Return what is wrong of a value for which each of these would be right."""
    distinct = list(dict.fromkeys(reasons))
    if len(distinct) > 1:
        # Any number would be right too.
        distinct = [one for one in distinct if one != WHOLE_NUMBER]
    if all(one.startswith(MUST_BE) for one in distinct):
        return MUST_BE + " or ".join(one.removeprefix(MUST_BE) for one in distinct)
    return " or ".join(distinct)


def _step(step: int | str) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step}"


def _place(model: object, steps: Sequence[int | str]) -> _Place:
    nodes: list[Any] = [model]
    path: list[int | str] = []
    union: tuple[int | str, ...] | None = None
    declared: tuple[str, ...] = ()
    for step in steps:
        choices = [choice for node in nodes for choice in _choices(node)]
        if len(nodes) == 1 and len(choices) > 1:
            nodes, union = choices, tuple(path) if union is None else union
            continue
        declared = tuple(name for node in choices for name in _fields(node))
        path.append(step)
        nodes = [inner for node in choices for inner in _inside(node, step)]
    return _Place(tuple(path), union, declared)


def _choices(annotation: Any) -> Iterator[Any]:
    """Return the types that a value may have, without None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _choices(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            if one is not type(None):
                yield from _choices(one)
    else:
        yield annotation


def _fields(node: Any) -> dict[str, Any]:
    if not (isinstance(node, type) and issubclass(node, BaseModel)):
        return {}
    return {field.alias or name: field.annotation for name, field in node.model_fields.items()}


def _inside(node: Any, step: int | str) -> tuple[Any, ...]:
    """Return the type of what `step` leads to in a value of the type `node`; nothing where it is open."""
    if step in (fields := _fields(node)):
        return (fields[str(step)],)
    match get_origin(node), get_args(node):
        case (origin, (_, value)) if origin is dict:
            return (value,)
        case (origin, (item, *_)) if origin in {list, tuple}:
            return (item,)
        case _:
            return ()
