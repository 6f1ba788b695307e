"""An answer in very many pieces is given up: each costs CPU, however small it is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from typing_extensions import override

from nemo_eval_operator.evaluator.http.bodies import MAX_CHUNKS, MIN_CHUNK_BYTES, TooLarge, read_body


class Pieces(httpx.AsyncByteStream):
    def __init__(self, size: int, number: int) -> None:
        self.size, self.number, self.read = size, number, 0

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.number):
            self.read += 1
            yield b" " * self.size


async def test_an_answer_of_single_bytes_is_given_up() -> None:
    pieces = Pieces(1, 3_000_000)

    with pytest.raises(TooLarge):
        await read_body(httpx.Response(200, stream=pieces), 3_000_000)
    assert pieces.read < MAX_CHUNKS * 1.1


async def test_a_large_answer_in_pieces_of_common_size_is_read() -> None:
    pieces = Pieces(MIN_CHUNK_BYTES, 3 * MAX_CHUNKS)

    body = await read_body(httpx.Response(200, stream=pieces), 8_000_000)
    assert len(body) == MIN_CHUNK_BYTES * 3 * MAX_CHUNKS
