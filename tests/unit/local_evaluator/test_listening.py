"""Addresses that the server listens on."""

import sysconfig
from pathlib import Path

import httpx
import pytest

from testbed.processes import Processes, Program, free_port, http_ready


@pytest.mark.parametrize(("host", "reached"), [("::", ["127.0.0.1", "[::1]"]), ("0.0.0.0", ["127.0.0.1"])])  # noqa: S104
def test_it_is_reached_by_the_addresses_of_its_host(host: str, reached: list[str], tmp_path: Path) -> None:
    port = free_port()
    command = Path(sysconfig.get_path("scripts")) / "nemo-local-evaluator"
    argv = [str(command), "serve", "--data", str(tmp_path / "data"), "--host", host, "--port", str(port)]
    with Processes() as processes:
        ready = http_ready(f"http://127.0.0.1:{port}/health")
        processes.start(Program("evaluator", argv, log=tmp_path / "log", ready=ready))

        for address in reached:
            assert httpx.get(f"http://{address}:{port}/health").json() == {"status": "healthy"}
