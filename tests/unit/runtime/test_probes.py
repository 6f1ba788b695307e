"""The endpoints that the kubelet probes."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.runtime.probes import Health, State, serve_probes
from testbed.processes import free_port


@pytest.mark.parametrize(
    ("state", "code"),
    [(State.STARTING, 503), (State.STANDBY, 200), (State.ACTIVE, 200), (State.STOPPING, 503)],
)
async def test_a_process_is_ready_when_it_works_or_stands_by(state: State, code: int) -> None:
    health, port = Health(), free_port()
    health.state = state
    async with (
        serve_probes(port, health, Metrics()),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        ready, alive = await http.get("/readyz"), await http.get("/healthz")

    assert (ready.status_code, ready.json()) == (code, {"state": state.value})
    assert alive.status_code == 200


async def test_a_stuck_loop_is_named() -> None:
    health, port = Health(), free_port()
    health.heartbeats.add("poller", limit=0).beat()
    async with (
        serve_probes(port, health, Metrics()),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        alive = await http.get("/healthz")

    assert alive.status_code == 503
    assert set(alive.json()["overdueSeconds"]) == {"poller"}


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
async def test_the_kubelet_may_ask_by_either_family_of_addresses(address: str) -> None:
    health, port = Health(), free_port()
    health.state = State.ACTIVE
    async with (
        serve_probes(port, health, Metrics()),
        httpx.AsyncClient(base_url=f"http://{address}:{port}", trust_env=False) as http,
    ):
        ready = await http.get("/readyz")

    assert ready.status_code == 200


async def test_a_stuck_loop_of_a_connection_does_not_name_the_connection() -> None:
    health, port = Health(), free_port()
    for name in ("poller", "poller team-canary/main", "breaker team-canary/main"):
        health.heartbeats.add(name, limit=0).beat()
    async with (
        serve_probes(port, health, Metrics()),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        alive = await http.get("/healthz")

    assert set(alive.json()["overdueSeconds"]) == {"poller", "breaker"}
    assert "canary" not in alive.text


async def test_a_stuck_loop_of_a_connection_does_not_restart_the_operator() -> None:
    health, port = Health(), free_port()
    health.heartbeats.add("poller team/slow", limit=0).beat()
    async with (
        serve_probes(port, health, Metrics()),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        alive = await http.get("/healthz")
        health.heartbeats.add("poller", limit=0).beat()
        stuck = await http.get("/healthz")

    assert (alive.status_code, set(alive.json()["overdueSeconds"])) == (200, {"poller"})
    assert stuck.status_code == 503


async def test_metrics_need_the_token_where_there_is_one_and_probes_do_not(tmp_path: Path) -> None:
    port, token = free_port(), tmp_path / "token"
    async with (
        serve_probes(port, Health(), Metrics(), token_file=token),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):

        async def code(authorization: str | None) -> int:
            headers = {} if authorization is None else {"Authorization": authorization}
            return (await http.get("/metrics", headers=headers)).status_code

        assert await code("Bearer first") == 401, "the file is missing"
        token.write_text("\n")
        assert await code("Bearer first") == 401, "the file is empty"
        token.write_text("first\n")
        assert [await code(given) for given in (None, "Bearer", "Bearer other", "Basic first", "first")] == [
            401
        ] * 5
        assert [await code(given) for given in ("Bearer first", "bearer first")] == [200, 200]
        token.write_text("second")
        assert [await code(given) for given in ("Bearer first", "Bearer second")] == [401, 200]
        assert (await http.get("/healthz")).status_code == 200
