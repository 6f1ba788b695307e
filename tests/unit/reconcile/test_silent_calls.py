"""A call without an answer says that the evaluator may be down: whatever call it was, one probe decides."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from typing_extensions import override

from tests.unit.reconcile.answers import (
    JOBS,
    Evaluator,
    Stage,
    broken,
    followed,
    intent,
    manifest,
    on,
    remote,
)
from tests.unit.reconcile.objects_api import ObjectsApi

SILENCE = broken(httpx.ReadTimeout("timed out"))


class Silent(Evaluator):
    """Answers nothing."""

    @override
    def respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path.removeprefix(JOBS)}")
        return SILENCE()


CALLS: dict[str, tuple[dict[str, Any], str, str]] = {
    "create": (manifest(), "POST", JOBS),
    "find": (manifest(intent(100)), "GET", JOBS),
    "cancel": (manifest(followed(), cancel=True), "POST", "/cancel"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_it_trips_the_breaker_where_the_probe_is_not_answered_either(name: str) -> None:
    document, method, path = CALLS[name]
    stage = Stage(Silent(on(method, path), SILENCE), ObjectsApi(document))
    await stage.look()
    assert stage.breaker.outage is not None


@pytest.mark.parametrize("name", CALLS)
async def test_it_does_not_where_the_probe_is_answered(name: str) -> None:
    document, method, path = CALLS[name]
    evaluator = Evaluator(on(method, path), SILENCE, jobs={"eval-1": remote()})
    stage = Stage(evaluator, ObjectsApi(document))
    await stage.look()
    assert evaluator.struck
    assert stage.breaker.outage is None
