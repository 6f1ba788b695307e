"""The Lease of an operator that is uninstalled: deleted, unless it is still renewed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nemo_eval_operator.uninstall import remove_lease
from tests.unit.runtime.lease_server import LeaseServer

HELD = {"holderIdentity": "another", "leaseDurationSeconds": 0}


async def removed(server: LeaseServer) -> list[str]:
    said: list[str] = []
    await remove_lease(server.kube, "system", "operator", said.append)
    return said


@pytest.mark.parametrize("spec", [{"leaseDurationSeconds": 1}, HELD], ids=["released", "run out"])
async def test_a_lease_that_is_not_renewed_is_deleted(spec: dict[str, Any]) -> None:
    server = LeaseServer(spec=spec)

    assert (await removed(server))[-1] == "Lease system/operator is deleted"
    assert server.spec is None


async def test_where_there_is_none_there_is_nothing_to_do() -> None:
    assert await removed(LeaseServer()) == []


async def test_a_lease_that_another_operator_renews_is_kept() -> None:
    """Without its Lease that operator and its standby would both work."""

    async def renew(_request: httpx.Request) -> httpx.Response | None:
        server.version += 1
        return None

    server = LeaseServer(interfere=renew, spec=HELD)

    assert (await removed(server))[-1] == "Lease system/operator is kept: another may still run"
    assert server.holder == "another"


async def test_a_lease_that_another_operator_acquires_meanwhile_is_kept() -> None:
    async def acquire(request: httpx.Request) -> httpx.Response | None:
        if request.method == "DELETE":
            server.take("another")
        return None

    server = LeaseServer(interfere=acquire, spec={"leaseDurationSeconds": 1})

    assert await removed(server) == ["Lease system/operator is kept: it has just been acquired"]
    assert server.holder == "another"


async def test_a_held_lease_that_lasts_too_long_to_wait_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nemo_eval_operator.uninstall.LEASE_PATIENCE_SECONDS", 0)
    server = LeaseServer(spec={**HELD, "leaseDurationSeconds": 600})

    assert (await removed(server))[-1] == "Lease system/operator is kept: another may still run"
    assert server.spec is not None
