"""Lists and watches as the API server sends them when a table is accepted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nemo_eval_operator.handlers.tables import Sighting, read_events, read_list, sighting_of

COLUMNS = ["Name", "Phase", "Reason", "Priority"]
NOT_OURS = ',"managedFields":['


def compact(document: object) -> str:
    """In the order of the API's own types."""
    return json.dumps(document, separators=(",", ":"))


def row(name: str, *cells: object, large: bool = False, **meta: Any) -> dict[str, Any]:
    managed: list[Any] = [{"fieldsV1": {f"f:{number}": {} for number in range(200_000 if large else 1)}}]
    metadata = {"name": name, "namespace": "team-a", "uid": f"uid-{name}", "resourceVersion": "7"}
    order = ("generation", "deletionTimestamp", "labels", "annotations", "ownerReferences", "finalizers")
    metadata |= {member: meta[member] for member in order if member in meta} | {"managedFields": managed}
    part = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {"cells": [name, *cells], "object": part}


def table(*rows: dict[str, Any], columns: bool = True) -> dict[str, Any]:
    definitions = [{"name": name, "description": '"rows":[{"cells":['} for name in COLUMNS]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "9"}}
    return {**head, "columnDefinitions": definitions if columns else None, "rows": list(rows)}


async def in_chunks(text: str, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(text), size):
        yield text[start : start + size].encode()


async def listed(*rows: dict[str, Any], size: int = 1000) -> list[Sighting]:
    document = await read_list(in_chunks(compact(table(*rows)) + "\n", size))
    assert document["metadata"] == {"resourceVersion": "9"}
    return [sighting_of(item) for item in document["items"]]


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
async def test_a_list_is_read_however_it_is_cut(size: int) -> None:
    one = row("one", "Running", "Ready", 5, generation=1, annotations={"x": NOT_OURS, "y": ',{"cells":['})
    first, second = await listed(one, row("two", None, None, None, labels={"a": "b"}), size=size)

    assert (first.name, first.namespace, first.uid) == ("one", "team-a", "uid-one")
    assert (first.version, first.phase, first.priority) == ("7", "Running", 5)
    assert (second.name, second.phase, second.priority) == ("two", None, 0)


async def test_an_empty_list_has_no_items() -> None:
    assert await listed() == []


async def test_objects_that_are_absorbed_are_left_out_of_a_list() -> None:
    absorbed: list[dict[str, Any]] = []

    def absorbs(event: dict[str, Any]) -> bool:
        absorbed.append(event)
        return sighting_of(event["object"]).name != "two"

    text = compact(table(row("one"), row("two", "Pending"), row("three"))) + "\n"
    document = await read_list(in_chunks(text, 100), absorbs=absorbs)

    assert document["metadata"] == {"resourceVersion": "9"}
    assert [sighting_of(item).name for item in document["items"]] == ["two"]
    assert [sighting_of(event["object"]).name for event in absorbed] == ["one", "two", "three"]
    assert {event["type"] for event in absorbed} == {None}


async def test_metadata_that_can_be_long_is_not_parsed() -> None:
    document = await read_list(in_chunks(compact(table(row("one", large=True, finalizers=["f"]))), 65536))

    (item,) = document["items"]
    assert set(item["metadata"]) == {"name", "namespace", "uid", "resourceVersion"}


@pytest.mark.parametrize(
    ("after", "is_news"),
    [
        (row("one", "Running", "Ready", 0, generation=1, labels={"a": "b"}), False),
        (row("one", "Failed", "RunFailed", 0, generation=1, labels={"a": "b"}), False),
        (row("one", "Running", "Ready", 0, generation=1, labels={"a": "b"}, finalizers=["f"]), False),
        (row("one", "Running", "Ready", 0, generation=2, labels={"a": "b"}), True),
        (row("one", "Running", "Ready", 0, generation=1, labels={"a": "c"}), True),
        (row("one", "Running", "Ready", 0, generation=1), True),
        (row("one", "Running", "Ready", 0, generation=1, labels={"a": "b"}, annotations={"c": "d"}), True),
        (row("one", None, None, 0, generation=1, labels={"a": "b"}), True),
        (row("one", "Running", "Ready", 0, generation=1, deletionTimestamp="now", labels={"a": "b"}), True),
    ],
)
async def test_only_spec_metadata_and_a_lost_status_are_news(after: dict[str, Any], is_news: bool) -> None:
    before = row("one", "Running", "Ready", 0, generation=1, labels={"a": "b"})
    (first,), (second,) = await listed(before), await listed(after)

    assert (first.digest != second.digest) is is_news


@pytest.mark.parametrize("size", [3, 50, 100_000])
async def test_events_are_read_line_by_line(size: int) -> None:
    bookmark = {"cells": ["", None], "object": row("")["object"] | {"metadata": {"resourceVersion": "12"}}}
    error = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
    stream = [
        {"type": "ADDED", "object": table(row("one", "Running", "Ready", 3))},
        {"type": "MODIFIED", "object": table(row("two", "Pending", None, 0), columns=False)},
        {"type": "BOOKMARK", "object": table(bookmark, columns=False)},
        error,
    ]
    text = "".join(compact(event) + "\n" for event in stream)
    added, modified, marked, failed = [json.loads(line) async for line in read_events(in_chunks(text, size))]

    assert (added["type"], sighting_of(added["object"]).priority) == ("ADDED", 3)
    assert sighting_of(modified["object"]).phase == "Pending"
    assert marked["object"]["metadata"]["resourceVersion"] == "12"
    assert failed == error


async def test_of_events_that_are_absorbed_a_bookmark_is_left_now_and_then() -> None:
    stream = [{"type": "MODIFIED", "object": table(row("one"))} for _ in range(3)]
    stream.append({"type": "MODIFIED", "object": table(row("two", "Pending"))})
    text = "".join(compact(event) + "\n" for event in stream)

    def absorbs(event: dict[str, Any]) -> bool:
        return sighting_of(event["object"]).name == "one"

    marked, modified = [
        json.loads(line) async for line in read_events(in_chunks(text, 1000), absorbs=absorbs)
    ]

    assert marked == {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}}
    assert sighting_of(modified["object"]).name == "two"
