"""Credentials that are written in a spec in plain text, readable by every reader of the object.

They work, so that examples of NVIDIA's documentation can be pasted. A warning event for each generation of
the spec says how to use a Secret instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import MASK
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle import Event
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import BenchmarkSpec, NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection

from .target_paths import Step, parse, shown

__all__ = ["event_of_plain_secrets", "mask_plain_secrets", "plain_secrets"]

SECRET_KEYS: Final = frozenset({"api_key", "hf_token"})
"""The keys whose values NeMo itself masks, wherever they stand."""

SECRET_SUFFIXES: Final = ("_api_key", "_token", "password")
"""Endings of keys that hold credentials in free-form parameters of harnesses, e.g. rapid_api_key."""

PARAMETERS: Final = frozenset({"params", "extra", "api_endpoint"})

DATA: Final = frozenset({"rows", "custom_fields"})
"""Fields with the user's own data: a column named "api_key" is not a credential."""

MAX_NAMED: Final = 5


def plain_secrets(thing: NemoBenchmark | NemoEvalJob) -> dict[str, str]:
    """The credentials in the spec by their paths in it, bar those that valuesFrom replaces."""
    replaced = set(_replaced(thing))
    return {f"spec.{shown(place)}": value for place, value in _in_spec(thing) if place not in replaced}


def event_of_plain_secrets(thing: NemoBenchmark | NemoEvalJob | NemoEvaluatorConnection) -> Event | None:
    """The warning that shows the better way; None where no credential is in plain text."""
    if isinstance(thing, NemoEvaluatorConnection):
        return None
    paths = list(plain_secrets(thing))
    if not paths:
        return None
    named = ", ".join(paths[:MAX_NAMED]) + (
        f" and {len(paths) - MAX_NAMED} more" if paths[MAX_NAMED:] else ""
    )
    relative = isinstance(thing, NemoBenchmark)
    target = paths[0].removeprefix("spec.config." if relative else "spec.")
    message = (
        f"{named}: a credential in plain text, which everybody reads who may read this object. Put it into a "
        f"Secret and refer to it: spec.valuesFrom: [{{secretKeyRef: {{name: SECRET, key: KEY}}, "
        f"targetPath: {target}}}]"
    )
    return Event("Warning", Reason.PLAIN_TEXT_SECRET, message)


def mask_plain_secrets(config: JsonObject) -> None:
    """Put a mask in place of each credential in `config`, which is changed."""
    for steps, _ in list(_in(config, place=(), scoped=False)):
        *parents, last = steps
        node: Any = config
        for step in parents:
            node = node[step]
        node[last] = MASK


def _in_spec(thing: NemoBenchmark | NemoEvalJob) -> Iterator[tuple[tuple[Step, ...], str]]:
    spec = thing.spec
    if spec.config is not None:
        yield from _in(spec.config.to_request(), place=("config",), scoped=False)
    if not isinstance(spec, BenchmarkSpec) and spec.target is not None:
        yield from _in(spec.target.to_request(), place=("target",), scoped=False)


def _in(node: JsonValue, *, place: tuple[Step, ...], scoped: bool) -> Iterator[tuple[tuple[Step, ...], str]]:
    match node:
        case list():
            for index, item in enumerate(node):
                yield from _in(item, place=(*place, index), scoped=scoped)
        case dict():
            for key, value in node.items():
                here = (*place, key)
                if isinstance(value, str) and _names_a_secret(key, scoped=scoped):
                    if value not in ("", MASK):
                        yield here, value
                elif key not in DATA:
                    yield from _in(value, place=here, scoped=scoped or key in PARAMETERS)
        case _:
            return


def _names_a_secret(key: str, *, scoped: bool) -> bool:
    return key in SECRET_KEYS or (scoped and key.endswith(SECRET_SUFFIXES))


def _replaced(thing: NemoBenchmark | NemoEvalJob) -> Iterator[tuple[Step, ...]]:
    prefix: tuple[Step, ...] = ("config",) if isinstance(thing, NemoBenchmark) else ()
    for source in thing.spec.values_from:
        yield (*prefix, *parse(source.target_path))
