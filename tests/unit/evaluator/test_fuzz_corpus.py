"""What `make fuzz` has found so far is tried by every run of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest

from nemo_eval_operator.evaluator.http import client
from nemo_eval_operator.transport import AiohttpTransport
from tests.fuzz.target import Target

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    yield target
    target.close()


def test_every_found_input_is_an_answer_or_an_evaluator_error(target: Target) -> None:
    found = sorted(CORPUS.iterdir())
    assert len(found) > 10
    for path in found:
        try:
            target.check(path.read_bytes())
        except Exception as error:
            raise AssertionError(f"{path.name} raises what no caller expects") from error


def test_the_target_notices_what_gets_past_the_boundary(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: AiohttpTransport, request: httpx.Request) -> httpx.Response:
        raise KeyError

    monkeypatch.setattr(AiohttpTransport, "handle_async_request", fail)
    target.check(b"\x00\x00HTTP/1.1 200 OK\r\n\r\n")
    monkeypatch.setattr(client, "only_evaluator_errors", lambda _: nullcontext())
    with pytest.raises(KeyError):
        target.check(b"\x00\x00HTTP/1.1 200 OK\r\n\r\n")
