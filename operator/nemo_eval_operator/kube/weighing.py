"""Weighs what the API server answers in bytes, before it is parsed: parsing is what takes the memory.

Custom resources arrive as compact JSON with sorted keys, so that the members of an object are found by
searching for their names: a quotation mark inside a string is escaped, and metadata has no member of these
names and shapes. What does not look like that is weighed whole, so a surprise makes an object too large but
never lets one through.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import MAX_PARTS, MAX_SPEC_BYTES

from .errors import KubeUnavailable

__all__ = ["Weighed", "item_of", "metadata_in", "parts_at_most", "rest_of_page", "values_in", "weighed"]

MAX_REST_BYTES: Final = 768 * 1024
"""Bytes of metadata without managedFields, and of status: 256 KiB of annotations grow by escapes."""

KEPT_LABELS: Final = 1_000
"""Labels that are kept of an object whose metadata has too many parts."""

OWN_ANNOTATIONS: Final = "evaluator.nemo.dev/"

MANAGED_FIELDS: Final = b',"managedFields":['
NAME: Final = b'],"name":"'
SPEC: Final = b',"spec":{'
STATUS: Final = b',"status":{'

_ITEMS: Final = b'"items":[{'
_LIST_KIND: Final = b'}],"kind":"'

_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
"""A string, also one without an end: else the search would begin again at each quote in it."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One object. `problem` says why it is too large; then `document` has metadata and status only."""

    document: JsonObject
    problem: str | None = None


def weighed(content: bytes) -> Weighed:
    """The object in `content`, as far as it is light enough to parse. Raises ValueError, RecursionError."""
    lean = _without_managed_fields(content)
    if len(lean) <= MAX_SPEC_BYTES and parts_at_most(lean) <= MAX_PARTS:
        return Weighed(_object(lean))
    head, spec, status = _members(lean)
    problem = _problem(head, spec)
    if problem is None:
        return Weighed(_object(head + spec + status))
    document = _object(head + b"}")
    if parts_at_most(head) > MAX_PARTS:
        document["metadata"] = _trimmed(document["metadata"])
    if len(status) <= MAX_REST_BYTES and parts_at_most(status) <= MAX_PARTS:
        document |= _object(b"{" + status.removeprefix(b",")) if status != b"}" else {}
    return Weighed(document, problem)


def item_of(page: bytes) -> bytes | None:
    """The only item of a list of one, still to be weighed; None where there is none."""
    start, end = page.find(_ITEMS), page.rfind(_LIST_KIND)
    return page[start + len(_ITEMS) - 1 : end + 1] if 0 <= start < end else None


def rest_of_page(page: bytes) -> JsonObject:
    """A list without its items. Raises ValueError."""
    end = page.rfind(_LIST_KIND)
    return _object(b"{" + page[end + len(b"}],") :].strip()) if end >= 0 else {}


def metadata_in(content: bytes) -> JsonObject:
    """A PartialObjectMetadata, or a small whole object. Raises KubeUnavailable where it is neither."""
    start = content.find(MANAGED_FIELDS)
    # The API server writes it in the order of its own types, in which they come last.
    lean = content[:start] + b"}}" if start >= 0 and b'"kind":"PartialObjectMetadata"' in content else content
    try:
        return _object(lean)
    except (ValueError, RecursionError) as error:
        raise KubeUnavailable(
            "the API server answered a write with something other than an object"
        ) from error


def parts_at_most(content: bytes) -> int:
    """No fewer than the values in `content`: strings are not distinguished from what is between them."""
    return content.count(b"{") * 2 + content.count(b"[") * 2 + content.count(b",") + 1


def _problem(head: bytes, spec: bytes) -> str | None:
    # Bytes first: to count values takes longer.
    if len(spec) > MAX_SPEC_BYTES:
        return f"spec has {len(spec):,} bytes, and at most {MAX_SPEC_BYTES:,} are read: {_ADVICE}"
    if (parts := values_in(spec)) > MAX_PARTS:
        return f"spec has {parts:,} values, and at most {MAX_PARTS:,} are read: {_ADVICE}"
    if len(head) > MAX_REST_BYTES:
        return f"metadata has {len(head):,} bytes, and at most {MAX_REST_BYTES:,} are read: {_ADVICE_META}"
    if (parts := values_in(head)) > MAX_PARTS:
        return f"metadata has {parts:,} values, and at most {MAX_PARTS:,} are read: {_ADVICE_META}"
    return None


_ADVICE: Final = "make it smaller, for example by naming a dataset instead of writing its rows here"
_ADVICE_META: Final = "remove labels, annotations, finalizers or owner references"


def values_in(content: bytes) -> int:
    """Return how many JSON values are in `content`; where they are few, no fewer than there are."""
    if (most := parts_at_most(content)) <= MAX_PARTS:
        return most
    bare = _STRING.sub(b"0", content)
    empty = bare.count(b"[]") + bare.count(b"{}")
    return bare.count(b",") + bare.count(b"[") + bare.count(b"{") - empty


def _without_managed_fields(content: bytes) -> bytes:
    """Cut them off: they repeat a field's name for each of its writers and are not read."""
    start, spec = content.find(MANAGED_FIELDS), content.find(SPEC)
    # A spec may have a field of that name, which has to stay.
    if not 0 <= start < spec:
        return content
    end = content.find(NAME, start)
    return content[:start] + content[end + 1 :] if start < end < spec else content


def _members(content: bytes) -> tuple[bytes, bytes, bytes]:
    """All that comes before spec; spec; and status with what closes the object."""
    content = content.rstrip()
    spec, status = content.find(SPEC), content.rfind(STATUS)
    if spec < 0:
        # Not as expected: all of it is weighed as a spec is, and nothing of it is kept if that is too much.
        return b"{", content.removeprefix(b"{").removesuffix(b"}"), b"}"
    if status <= spec or not _ends_with_one_object(content[status + len(STATUS) - 1 : -1]):
        return content[:spec], content[spec:-1], b"}"
    return content[:spec], content[spec:status], content[status:]


def _ends_with_one_object(content: bytes) -> bool:
    """Return whether it is one object, so that the supposed status is not a part of the spec."""
    if len(content) > MAX_REST_BYTES or parts_at_most(content) > MAX_PARTS:
        return False
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _trimmed(meta: JsonValue) -> JsonValue:
    if not isinstance(meta, dict):
        return meta
    labels, annotations = meta.get("labels"), meta.get("annotations")
    kept = dict(meta)
    if isinstance(labels, dict):
        kept["labels"] = dict(list(labels.items())[:KEPT_LABELS])
    if isinstance(annotations, dict):
        kept["annotations"] = {
            name: value for name, value in annotations.items() if name.startswith(OWN_ANNOTATIONS)
        }
    kept.pop("ownerReferences", None)
    return kept


def _object(content: bytes) -> JsonObject:
    # Not pydantic's parser, which ends at a depth of 200: a deeper object has to be reported.
    document: JsonValue = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 - bad input, as other JSON that cannot be read
    return document
