"""What a start in a pod imports: each second of CPU is twenty with the 50m that the chart requests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

START = """
import asyncio
import sys
from pathlib import Path
import nemo_eval_operator.cli as cli
from nemo_eval_operator.kube import config

config.SERVICE_ACCOUNT = Path(sys.argv[1])

def started(operator):
    operator.close()
    print(*(name for name, module in sys.modules.items() if module), sep="\\n")

asyncio.run = started
cli.app(["run"], standalone_mode=False)
"""


def test_a_start_in_a_pod_imports_neither_the_official_client_nor_command_lines(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("")
    pod = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}

    started = subprocess.run(
        [sys.executable, "-c", START, str(tmp_path)],
        env=os.environ | pod,
        capture_output=True,
        text=True,
        check=True,
    )

    imported = set(started.stdout.split())
    assert {"kopf", "httpx", "nemo_eval_operator.app"} <= imported
    assert not imported & {"kubernetes", "requests", "httpx._main", "pygments", "rich"}


def test_a_kubeconfig_is_read_without_the_tables_of_chardet() -> None:
    """They take a second of CPU: lm-eval, which brings them, is installed with the tests."""
    script = (
        "import sys; import nemo_eval_operator.kube.kubeconfig; before = 'chardet' in sys.modules\n"
        "import chardet; print('requests' in sys.modules, before)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert (found.stdout, found.stderr) == ("True False\n", "")


def test_the_address_of_the_api_server_is_that_of_the_pods_environment(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from nemo_eval_operator.kube import Credentials, config\n"
        "config.SERVICE_ACCOUNT = Path(sys.argv[1]); found = Credentials.find(None)\n"
        "print(found.server, found.authorization(), found.ca_path)"
    )
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "ca.crt").write_text("")

    def found(host: str) -> str:
        pod = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}
        return subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            env=os.environ | pod,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert found("10.96.0.1") == f"https://10.96.0.1:443 Bearer secret {tmp_path / 'ca.crt'}\n"
    assert found("fd00::1") == f"https://[fd00::1]:443 Bearer secret {tmp_path / 'ca.crt'}\n"
