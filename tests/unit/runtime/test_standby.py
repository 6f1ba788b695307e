"""A standby is ready only while it could take over."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from nemo_eval_operator.kube import KubeClient, OverHttpx
from nemo_eval_operator.runtime import standby
from nemo_eval_operator.runtime.standby import Takeover

KINDS = ["nemoevaljobs", "nemobenchmarks", "nemoevaluatorconnections"]


class ApiServer:
    """Answers lists of the kinds by their plural; None: not at all."""

    def __init__(self) -> None:
        self.answers: dict[str, int | None] = dict.fromkeys(KINDS, 200)
        self.raises: Exception | None = None
        self.asked: list[str] = []

    @property
    def kube(self) -> KubeClient:
        transport = httpx.MockTransport(self._handle)
        return KubeClient(OverHttpx(httpx.AsyncClient(base_url="http://kube.test", transport=transport)))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.url.path}?{request.url.query.decode()}")
        if self.raises is not None:
            raise self.raises
        code = self.answers[request.url.path.rpartition("/")[2]]
        if code is None:
            await asyncio.Event().wait()
        return httpx.Response(code or 500, json={"items": []})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "CHECK_SECONDS", 0.05)


async def until(takeover: Takeover, obstacle: str | None) -> None:
    async with asyncio.timeout(20):
        while takeover.obstacle() != obstacle:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("plural", KINDS)
@pytest.mark.parametrize(
    ("code", "obstacle"),
    [
        (404, "the custom resources are not served"),
        (401, "the custom resources cannot be listed"),
        (403, "the custom resources cannot be listed"),
        (503, "the custom resources cannot be listed"),
        (None, "the custom resources cannot be listed"),
    ],
)
async def test_it_could_take_over_while_each_kind_can_be_listed(
    plural: str, code: int | None, obstacle: str
) -> None:
    server, takeover = ApiServer(), Takeover(lease_seconds=600)
    takeover.lease_reached()
    assert takeover.obstacle() == "the Kubernetes API has not been checked"
    async with takeover.checked(server.kube, ()):
        await until(takeover, None)
        server.answers[plural] = code
        await until(takeover, obstacle)
        server.answers[plural] = 200
        await until(takeover, None)


async def test_an_exception_that_is_not_expected_does_not_end_the_checks() -> None:
    server, takeover = ApiServer(), Takeover(lease_seconds=600)
    takeover.lease_reached()
    async with takeover.checked(server.kube, ()):
        server.raises = RuntimeError("not expected")
        await until(takeover, "the custom resources cannot be listed")
        server.raises = None
        await until(takeover, None)


async def test_it_could_take_over_while_the_lease_is_reached() -> None:
    server, takeover = ApiServer(), Takeover(lease_seconds=0.2)
    async with takeover.checked(server.kube, ()):
        await until(takeover, "the lease cannot be read or acquired")
        takeover.lease_reached()
        await until(takeover, None)
        await until(takeover, "the lease cannot be read or acquired")


async def test_a_check_that_is_stuck_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "OUTDATED_SECONDS", 0.2)
    server, takeover = ApiServer(), Takeover(lease_seconds=600)
    takeover.lease_reached()
    async with takeover.checked(server.kube, ()):
        await until(takeover, None)
    await until(takeover, "the Kubernetes API has not been checked")


async def test_one_object_of_a_namespace_is_listed_at_a_time() -> None:
    server, takeover = ApiServer(), Takeover(lease_seconds=600)
    async with takeover.checked(server.kube, ("team-a", "team-b")), asyncio.timeout(20):
        while len(server.asked) < 6:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
    assert ["team-a" in path for path in server.asked[:6]] == [True] * 3 + [False] * 3
    assert all(path.endswith("&limit=1") for path in server.asked)
