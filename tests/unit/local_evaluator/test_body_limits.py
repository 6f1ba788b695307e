"""Bodies of requests are bounded in bytes and in parts, before anything is built of them."""

import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nemo_local_evaluator.wire.bounds import MAX_DOCUMENT_BYTES, MAX_PARTS, has_too_many_parts
from tests.unit.local_evaluator.harness import Evaluator, rows_target

MIB = 1024 * 1024


async def endless(chunks: list[int]) -> AsyncIterator[bytes]:
    """A body without a Content-Length; `chunks` says how much of it was read."""
    while True:
        chunks.append(MIB)
        yield b" " * MIB


@pytest.mark.parametrize("path", ["configs", "targets", "jobs", "results", "live"])
async def test_a_body_beyond_16_mib_is_refused_before_it_is_read(server: Evaluator, path: str) -> None:
    body = b" " * (MAX_DOCUMENT_BYTES + 1)
    response = await server.http.post(f"/v1/evaluation/{path}", content=body)
    assert response.status_code == 413
    assert "larger than 16 MiB" in response.json()["detail"]


async def test_a_body_without_an_end_is_read_to_the_limit_and_no_further(server: Evaluator) -> None:
    read: list[int] = []
    response = await server.http.post("/v1/evaluation/targets", content=endless(read))
    assert response.status_code == 413
    # httpx's in-process transport hands over one chunk for each that the server asks for.
    assert sum(read) <= MAX_DOCUMENT_BYTES + 2 * MIB


@pytest.mark.parametrize("part", ["[]", "{}", "1", '""', '{"a":[]}', '"\\""'])
async def test_a_body_of_many_small_parts_is_refused_without_building_them(
    server: Evaluator, part: str
) -> None:
    body = f'{{"type": "rows", "rows": [{",".join([part] * (8 * MIB // (len(part) + 1)))}]}}'.encode()
    headers = {"Content-Type": "application/json"}
    tracemalloc.start()
    try:
        response = await server.http.post("/v1/evaluation/targets", content=body, headers=headers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.status_code == 413
    assert f"more than {MAX_PARTS:,} objects, lists and values" in response.json()["detail"]
    assert peak < 6 * len(body)


@pytest.mark.parametrize(
    ("text", "most", "too_many"),
    [
        ("[1,2,3]", 3, False),
        ("[1,2,3,4]", 3, True),
        ('["a,b,c,[{", "\\",,,\\\\"]', 2, False),
        ('["a,b,c,[{", "\\",,,\\\\", 1]', 2, True),
        ("[[[[", 3, True),
        ('"unfinished ,,,,,,,,', 3, False),
        ("[" + '""' * 50 + ",,,,", 3, True),
        ("[1] [,,,,", 3, False),
    ],
)
def test_separators_within_strings_are_not_parts(text: str, most: int, too_many: bool) -> None:
    assert has_too_many_parts(text, most=most) is too_many


async def test_prose_with_many_commas_is_accepted(server: Evaluator) -> None:
    target = rows_target({"text": "to wit, in short, " * MAX_PARTS})
    assert (await server.create("targets", target))["rows"] == target["rows"]


@pytest.mark.parametrize("kind", ["targets", "results"])
async def test_patches_do_not_add_up_to_more_than_a_body_may_have(server: Evaluator, kind: str) -> None:
    new: dict[str, dict[str, Any]] = {
        "targets": {"type": "rows", "rows": [{"a": 1}], "name": "t"},
        "results": {"job": "eval-1"},
    }
    created = await server.create(kind, new[kind])
    path = f"{kind}/{created['id']}" if kind == "results" else f"{kind}/default/t"
    patches = [{"custom_fields": {f"field{number}": "x" * 6 * MIB}} for number in range(3)]
    for patch in patches[:2]:
        response = await server.http.patch(f"/v1/evaluation/{path}", json=patch)
        assert response.status_code == 200
    assert "larger than 16 MiB" in await server.refused(413, "PATCH", path, patches[2])
    assert len(json.dumps(await server.get(path))) < MAX_DOCUMENT_BYTES
