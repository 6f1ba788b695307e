"""targetPath: where in a request a value goes, in the words of Flux and `helm --set`.

`params.extra.hf_token` names keys, `rows[0].key` an item of a list, and a backslash takes a
dot or bracket for a part of a key: `tasks.qa.metrics.recall\\.5.params.judge.api_key`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import ClassVar, Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.reasons import Reason

__all__ = ["Step", "UnusableSpec", "UnusableTargetPath", "parse", "place", "shown"]

Step = str | int
"""A key of an object, or an index of a list."""

_KEY: Final = re.compile(r"(?:[^.\[\]\\]|\\.)+")
_INDEX: Final = re.compile(r"\[([0-9]{1,5})\]")


class UnusableSpec(Exception):
    """A field of a spec cannot be sent to the evaluator; the message says which one, and what to change.

    `reason` is the reason of the condition that reports it.
    """

    reason: ClassVar[Reason] = Reason.INVALID_SPEC


class UnusableTargetPath(UnusableSpec):
    """A targetPath cannot be followed; `path` names it, and `field` is where in the spec it stands."""

    def __init__(self, path: str, problem: str, *, field: str = "valuesFrom targetPath") -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{field} {path!r}: {problem}")


def parse(path: str) -> list[Step]:
    """The keys and indices of `path`. Raises UnusableTargetPath."""
    steps: list[Step] = []
    position = 0
    while True:
        key = _KEY.match(path, position)
        if key is None:
            raise UnusableTargetPath(path, f"a key is missing at character {position + 1}")
        steps.append(re.sub(r"\\(.)", r"\1", key[0]))
        position = key.end()
        while index := _INDEX.match(path, position):
            steps.append(int(index[1]))
            position = index.end()
        if position == len(path):
            return steps
        if path[position] != ".":
            raise UnusableTargetPath(
                path, f"unexpected character {path[position]!r} at position {position + 1}"
            )
        position += 1


def place(body: JsonObject, path: str, value: str) -> None:
    """Set `value` at `path`; parents that are missing are made. Raises UnusableTargetPath."""
    steps = parse(path)
    node: JsonValue = body
    for number, (step, tracker) in enumerate(pairwise(steps)):
        empty: JsonValue = [] if isinstance(tracker, int) else {}
        node = _enter(node, step, empty, path, steps[:number])
    _set(node, steps[-1], value, path, steps[:-1])


def _enter(node: JsonValue, step: Step, empty: JsonValue, path: str, walked: list[Step]) -> JsonValue:
    """Return the value at `step` of `node`; where there is none, set it to `empty` first."""
    match node, step:
        case dict(), str() if node.get(step) is not None:
            return node[step]
        case list(), int() if step < len(node) and node[step] is not None:
            return node[step]
        case _:
            _set(node, step, empty, path, walked)
            return empty


def _set(node: JsonValue, step: Step, value: JsonValue, path: str, walked: list[Step]) -> None:
    match node, step:
        case dict(), str():
            node[step] = value
        case list(), int() if step < len(node):
            node[step] = value
        case list(), int() if step == len(node):
            node.append(value)
        case list(), int():
            raise UnusableTargetPath(path, f"{shown(walked)!r} has only {len(node)} items")
        case _, int():
            raise UnusableTargetPath(path, f"{shown(walked)!r} is not a list")
        case _:
            raise UnusableTargetPath(path, f"{shown(walked)!r} is not an object")


def shown(steps: Iterable[Step]) -> str:
    """The path that leads over `steps`: what `parse` would read."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else "." + re.sub(r"([.\[\]\\])", r"\\\1", step)
    return text.removeprefix(".")
