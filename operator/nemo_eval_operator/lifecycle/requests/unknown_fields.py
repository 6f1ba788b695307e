"""Fields of a spec that nothing declares: new ones of NVIDIA's, or typos.

They are sent to the evaluator as they are, since it may be newer than this operator. An evaluator that does
not know them either ignores them: `limits: 3` evaluates everything. An event reports them, once for each
generation of the spec.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from nemo_eval_operator.evaluator.model import readable
from nemo_eval_operator.lifecycle import Event
from nemo_eval_operator.likely_names import most_like
from nemo_eval_operator.nemo import OpenModel
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import BenchmarkSpec, NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection

from .target_paths import Step, shown

__all__ = ["SERVER_WRITTEN", "event_of_unknown_fields", "unknown_fields"]

SERVER_WRITTEN: Final = frozenset(
    {
        *("id", "created_at", "updated_at", "schema_version", "type_prefix"),
        *("version_id", "version_tags", "model_providers"),
    }
)
"""Fields that NeMo writes itself: an answer of the evaluator may be pasted."""

MAX_NAMED: Final = 5
MAX_PATH_CHARACTERS: Final = 160


def unknown_fields(thing: NemoBenchmark | NemoEvalJob) -> dict[str, str | None]:
    """Paths of fields that are not declared, each with the declared field that is most like it."""
    spec = thing.spec
    parts: dict[str, BaseModel | None] = {"config": spec.config}
    if not isinstance(spec, BenchmarkSpec):
        parts["target"] = spec.target
    return {
        f"spec.{shown(place)}": likely
        for name, part in parts.items()
        for place, likely in _in(part, place=(name,))
    }


def event_of_unknown_fields(thing: NemoBenchmark | NemoEvalJob | NemoEvaluatorConnection) -> Event | None:
    """The event that names them, a warning where one looks like a typo; None where there are none."""
    found = {} if isinstance(thing, NemoEvaluatorConnection) else unknown_fields(thing)
    if not found:
        return None
    # Likely typos first: only a few are named.
    ordered = sorted(found.items(), key=lambda item: item[1] is None)
    named = ", ".join(
        readable(path, MAX_PATH_CHARACTERS) + (f" (did you mean {likely}?)" if likely else "")
        for path, likely in ordered[:MAX_NAMED]
    )
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    message = (
        f"unknown: {named}{more}. Unknown fields are sent to the evaluator as they are, and it may ignore "
        "them; correct the name if it is a typo"
    )
    return Event("Warning" if any(found.values()) else "Normal", Reason.UNKNOWN_FIELD, message)


def _in(node: object, *, place: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], str | None]]:
    match node:
        case BaseModel():
            extra = node.model_extra or {}
            if isinstance(node, OpenModel) and node.REPORTS_UNDECLARED:
                for name in extra.keys() - SERVER_WRITTEN:
                    yield (*place, name), most_like(name, type(node).model_fields)
            for name in node.model_fields_set - extra.keys():
                yield from _in(getattr(node, name), place=(*place, name))
        case dict():
            for key, value in node.items():
                yield from _in(value, place=(*place, key))
        case _:
            return
