"""Who may call the server: the names it answers to, and its bearer token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner

from nemo_local_evaluator.cli import app as command

TOKEN = "t0ken-of-this-test"
VARIABLE = "NEMO_LOCAL_EVALUATOR_TOKEN"


@asynccontextmanager
async def served(
    monkeypatch: pytest.MonkeyPatch, data: Path, *options: str, env: dict[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """The application that `serve` with these options starts."""
    started: list[FastAPI] = []

    def start(app: FastAPI, **_options: Any) -> None:
        started.append(app)

    monkeypatch.setattr(uvicorn, "run", start)
    result = CliRunner().invoke(command, ["serve", "--data", str(data), *options], env=env or {})
    assert result.exit_code == 0, result.output
    (app,) = started
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:7331") as http,
    ):
        yield http


async def status(http: httpx.AsyncClient, host: str, path: str = "/v1/evaluation/jobs") -> int:
    return (await http.get(path, headers={"Host": host})).status_code


async def test_on_loopback_no_other_site_s_name_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(monkeypatch, tmp_path) as http:
        for host in (
            "attacker.test",
            "attacker.test:7331",
            "localhost.attacker.test",
            "[::2]",
            "127.0.0.2",
            "",
        ):
            for method in ("GET", "POST", "DELETE"):
                response = await http.request(method, "/v1/evaluation/jobs", headers={"Host": host})
                assert response.status_code == 403, host
                assert "--allowed-host" in response.json()["detail"]
            assert await status(http, host, "/openapi.json") == 403
        twice = [("Host", "localhost"), ("Host", "attacker.test")]
        assert (await http.get("/v1/evaluation/jobs", headers=twice)).status_code == 403
        for host in ("localhost", "LOCALHOST:7331", "localhost.", "127.0.0.1:7331", "[::1]:7331", "[::1]"):
            assert await status(http, host) == 200, host


async def test_health_answers_to_every_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, tmp_path, env={VARIABLE: TOKEN}) as http:
        assert await status(http, "10.1.2.3:7331", "/health") == 200


async def test_a_name_may_be_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, tmp_path, "--allowed-host", "Evaluator.example") as http:
        assert await status(http, "evaluator.example:7331") == 200
        assert await status(http, "attacker.test") == 403


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "evaluator.example"])  # noqa: S104
async def test_elsewhere_every_name_is_served_unless_one_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    async with served(monkeypatch, tmp_path, "--host", address) as http:
        assert await status(http, "evaluator.team.svc.cluster.local:7331") == 200
    async with served(
        monkeypatch, tmp_path, "--host", address, "--allowed-host", "evaluator.team.svc"
    ) as http:
        assert await status(http, "evaluator.team.svc") == 200
        assert await status(http, "attacker.test") == 403


@pytest.mark.parametrize("address", ["127.0.0.5", "::1", "localhost"])
async def test_a_loopback_address_is_served_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    host = f"[{address}]" if ":" in address else address
    async with served(monkeypatch, tmp_path, "--host", address) as http:
        assert await status(http, f"{host}:7331") == 200
        assert await status(http, "attacker.test") == 403


@pytest.mark.parametrize("by", ["variable", "file", "file named by a variable"])
async def test_with_a_token_no_call_is_answered_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    env = {"variable": {VARIABLE: TOKEN}, "file named by a variable": {f"{VARIABLE}_FILE": str(file)}}.get(by)
    options = ["--token-file", str(file)] if by == "file" else []
    async with served(monkeypatch, tmp_path / "data", *options, env=env) as http:
        for value in (None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ", "Bearer \xe9"):
            headers = [] if value is None else [(b"Authorization", value.encode("latin-1"))]
            for path in ("/v1/evaluation/jobs", "/openapi.json", "/nowhere"):
                response = await http.get(path, headers=headers)
                assert response.status_code == 401, value
                assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await http.get("/health")).status_code == 200
        for scheme in ("Bearer", "bearer"):
            headers = [(b"Authorization", f"{scheme} {TOKEN}".encode())]
            assert (await http.get("/v1/evaluation/jobs", headers=headers)).status_code == 200


@pytest.mark.parametrize("text", ["", "two words", "two\nlines", "t\u00f8ken"])
def test_a_token_that_no_header_can_carry_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    arguments = ["serve", "--data", str(tmp_path), "--token-file", str(file)]
    result = CliRunner().invoke(command, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "the token is not one line of printable ASCII" in result.output
    result = CliRunner().invoke(command, arguments[:3], env={"COLUMNS": "200", VARIABLE: text})
    assert result.exit_code == 2
    assert VARIABLE in result.output
