"""Lists and watch events read as tables: the columns of `kubectl get`, and the start of the metadata.

The API server makes a table where the client accepts one. So neither spec nor status is sent along, and
a large object costs the operator only a search through the bytes of its metadata. Labels,
annotations and managedFields are not parsed: a digest says whether labels or annotations have changed.
In a table, metadata is in the order of the API's own types, with everything that can be long at its end, and
a quotation mark inside a string is escaped, so that the names of members cannot be mistaken.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

__all__ = ["ACCEPT_TABLE", "Sighting", "read_events", "read_list", "sighting_of"]

ACCEPT_TABLE: Final = "application/json;as=Table;g=meta.k8s.io;v=v1"

ROWS: Final = b'"rows":[{"cells":['
NEXT_ROW: Final = b',{"cells":['
METADATA: Final = b',"object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{'
LABELS_AND_ANNOTATIONS: Final = (b',"labels":{', b',"annotations":{')
AFTER_THEM: Final = (b',"ownerReferences":[', b',"finalizers":[', b',"managedFields":[')

MAX_OTHER_BYTES: Final = 1024 * 1024
"""Bytes of an answer or a watch event that is not a table, but an error."""

BOOKMARK_SECONDS: Final = 1.0
"""Seconds between two bookmarks in place of events that are left out."""

SEEN: Final = "seen"
"""The member of an object, as handed to Kopf, that holds what was read of its columns."""

Document = dict[str, Any]
"""An object in the form that Kopf expects."""


class UnexpectedAnswer(Exception):
    """The API server answered something other than a table, and too much of it."""


class Sighting(NamedTuple):
    """State of an object in one list or watch event."""

    uid: str
    namespace: str
    name: str
    version: str
    phase: str | None
    """The column of that name; None where the object has no status, or its kind no phase."""
    priority: int
    digest: int
    """Changes with generation, deletion, labels and annotations, and where a status appears or is lost."""


def sighting_of(document: Mapping[str, Any]) -> Sighting:
    """Return the state in `document`, an object made by `read_list` or `read_events`."""
    meta, seen = document.get("metadata", {}), document.get(SEEN, {})
    phase, priority = seen.get("Phase"), seen.get("Priority")
    digest = (
        *(meta.get("generation"), meta.get("deletionTimestamp"), seen.get("digest")),
        *(seen.get(column) is None for column in ("Phase", "Reason")),
    )
    return Sighting(
        uid=str(meta.get("uid", "")),
        namespace=str(meta.get("namespace", "")),
        name=str(meta.get("name", "")),
        version=str(meta.get("resourceVersion", "")),
        phase=phase if isinstance(phase, str) and phase else None,
        priority=priority if isinstance(priority, int) else 0,
        digest=hash(digest),
    )


async def read_list(
    chunks: AsyncIterable[bytes], *, absorbs: Callable[[Document], bool] = lambda _: False
) -> Document:
    """A table as the list that Kopf expects, without the objects that `absorbs`.

    It receives each as an event of the type None, as Kopf's handlers do. Never holds more than one row and
    one chunk.
    """
    buffer, columns, items = b"", list[str](), list[Document]()
    head: Document | None = None
    searched = 0

    def take(row: bytes) -> None:
        item = _object(row, columns)
        if not absorbs({"type": None, "object": item}):
            items.append(item)

    async for chunk in chunks:
        buffer += chunk
        if head is None:
            start = buffer.find(ROWS)
            if start < 0:
                if len(buffer) > MAX_OTHER_BYTES:
                    raise UnexpectedAnswer("a list has no rows")
                continue
            head = json.loads(buffer[:start] + b'"rows":[]}')
            columns = _columns(head)
            buffer, searched = buffer[start + len(ROWS) - len(NEXT_ROW) + 1 :], 0
        begun = 0
        while (end := buffer.find(NEXT_ROW, max(searched, begun))) >= 0:
            take(buffer[begun:end])
            begun = searched = end + 1
        buffer = buffer[begun:]
        searched = max(0, len(buffer) - len(NEXT_ROW))
    if head is None:
        whole: Document = json.loads(buffer)
        return whole if "items" in whole else {"metadata": whole.get("metadata", {}), "items": []}
    take(buffer)
    return {"metadata": head.get("metadata", {}), "items": items}


async def read_events(
    chunks: AsyncIterable[bytes], *, absorbs: Callable[[Document], bool] = lambda _: False
) -> AsyncIterator[bytes]:
    """Watch events, a line for each, as Kopf expects them.

    Those that `absorbs` are left out; for them comes a bookmark now and then, so that Kopf knows that the
    watch lives and which version it has reached.
    """
    columns: list[str] = []
    bookmarked = 0.0
    async for line in _lines(chunks):
        start = line.find(ROWS)
        if start < 0:
            if len(line) > MAX_OTHER_BYTES:
                raise UnexpectedAnswer("a watch event has no rows")
            yield line + b"\n"
            continue
        event: Document = json.loads(line[:start] + b'"rows":[]}}')
        columns = _columns(event["object"]) or columns
        event["object"] = _object(line[start + len(ROWS) - len(NEXT_ROW) + 1 :], columns)
        if absorbs(event):
            if (now := time.monotonic()) - bookmarked < BOOKMARK_SECONDS:
                continue
            bookmarked = now
            event = _bookmark(event["object"])
        yield json.dumps(event).encode() + b"\n"


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    parts: list[bytes] = []
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            parts.append(part)
            if line := b"".join(parts):
                yield line
            parts.clear()
        parts.append(rest)
    if line := b"".join(parts):
        yield line


def _bookmark(document: Document) -> Document:
    version = document["metadata"].get("resourceVersion")
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


def _columns(table: Document) -> list[str]:
    return [column["name"] for column in table.get("columnDefinitions") or ()]


def _object(row: bytes, columns: Sequence[str]) -> Document:
    """The object of a row, and of its metadata the members that are short."""
    start = row.find(METADATA)
    if start < 0:
        raise UnexpectedAnswer("a row has no metadata")
    cells = json.loads(row[:start] + b"}")["cells"]
    begin = start + len(METADATA) - 1
    after = _first(row, AFTER_THEM, begin)
    middle = _first(row, LABELS_AND_ANNOTATIONS, begin)
    end = after if middle is None else middle
    meta = _leading_object(row[begin:]) if end is None else json.loads(row[begin:end] + b"}")
    # What comes after labels and annotations in a row without any of AFTER_THEM is the same in each.
    digest = 0 if middle is None else hash(row[middle:after])
    return {"metadata": meta, SEEN: {**dict(zip(columns, cells, strict=False)), "digest": digest}}


def _first(row: bytes, members: Sequence[bytes], begin: int) -> int | None:
    """Return where the first of `members`, in the order in which they are written, begins."""
    found = (row.find(member, begin) for member in members)
    return next((position for position in found if position >= 0), None)


def _leading_object(content: bytes) -> Document:
    return cast("Document", json.JSONDecoder().raw_decode(content.decode())[0])
