"""`nemo-eval-operator health`, as the image's HEALTHCHECK runs it."""

import asyncio
import socket
import sys
import sysconfig
from pathlib import Path

import pytest

from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.runtime.probes import Health, serve_probes
from testbed.processes import free_port

COMMAND = str(Path(sysconfig.get_path("scripts")) / "nemo-eval-operator")


async def check(*options: str, **environment: str) -> tuple[int | None, str]:
    """Its exit code, and what it said."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "health",
        *options,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_healthy_operator() -> None:
    port = free_port()
    async with serve_probes(port, Health(), Metrics()):
        assert await check("--port", str(port)) == (0, "healthy\n")


async def test_the_port_is_the_operators_own_setting_and_no_proxy_is_asked() -> None:
    port = free_port()
    unused = f"http://127.0.0.1:{free_port()}"
    async with serve_probes(port, Health(), Metrics()):
        answer = await check(NEMO_HEALTH_PORT=str(port), HTTP_PROXY=unused, ALL_PROXY=unused)

    assert answer == (0, "healthy\n")


async def test_a_stuck_part_is_named() -> None:
    health, port = Health(), free_port()
    health.heartbeats.add("poller", limit=-90).beat()
    async with serve_probes(port, health, Metrics()):
        code, said = await check("--port", str(port))

    assert code == 1
    assert said.startswith("overdue: poller by 9")


async def test_no_program_listens() -> None:
    port = free_port()

    code, said = await check("--port", str(port))

    assert code == 1
    assert f"no answer from http://127.0.0.1:{port}/healthz" in said
    assert "Traceback" not in said


async def test_who_listens_and_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        code, said = await check("--port", str(port), "--timeout", "0.2")

    assert (code, "timed out" in said) == (1, True)


async def test_another_program_answers() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            port = (await process.stdout.readline()).split()[5].decode()

        code, said = await check("--port", port)
    finally:
        process.kill()
        await process.wait()

    assert code == 1
    assert f"http://127.0.0.1:{port}/healthz answered 404" in said


@pytest.mark.parametrize("port", ["0", "65536"])
async def test_a_port_that_cannot_be(port: str) -> None:
    code, said = await check("--port", port)

    assert code == 2
    assert "--port" in said
