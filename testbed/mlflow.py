"""A real MLflow tracking server, from an environment of its own: 600 MB, which no other test needs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from testbed.cache import cache_dir, locked
from testbed.processes import ProcessError, Processes, Program, free_port, http_ready

__all__ = ["start_mlflow"]

_VERSION: Final = "3.17.2"
_COMPLETE: Final = "complete"
"""File in an environment that was installed to its end."""

_INSTALL_SECONDS: Final = 600
_START_SECONDS: Final = 300
"""Importing it takes 15 s of CPU time, and a minute beside other work."""


def _installed() -> Path:
    """Return the program, which is installed on first use. Raises ProcessError where it cannot be."""
    target = cache_dir() / f"mlflow-{_VERSION}-{sys.version_info.major}.{sys.version_info.minor}"
    with locked("mlflow"):
        if not (target / _COMPLETE).exists():
            _install(target)
    return target / "bin" / "mlflow"


def _install(target: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise ProcessError("MLflow is installed by uv: put it into PATH, or its path into UV")
    print(f"Installing MLflow {_VERSION} into the cache: 600 MB, once.", flush=True)
    shutil.rmtree(target, ignore_errors=True)
    # Scripts name their interpreter, so that the environment cannot be moved when it is complete.
    for command in (
        (uv, "venv", "--quiet", "--python", sys.executable, str(target)),
        (uv, "pip", "install", "--quiet", "--python", str(target), f"mlflow=={_VERSION}"),
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS)
        if done.returncode != 0:
            shutil.rmtree(target, ignore_errors=True)
            reason = done.stderr.strip().splitlines()[-1:]
            raise ProcessError(f"MLflow {_VERSION} cannot be installed: {' '.join(reason)}")
    (target / _COMPLETE).touch()


def start_mlflow(processes: Processes, directory: Path) -> str:
    """Start a server that keeps everything below the directory; returns its URL. Raises ProcessError."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = (
        *(str(_installed()), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{directory / 'mlflow.db'}"),
        *("--artifacts-destination", str(directory / "artifacts")),
    )
    processes.start(
        Program(
            "MLflow",
            argv,
            log=directory / "mlflow.log",
            env={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true"},
            cwd=directory,
            ready=http_ready(f"{url}/health"),
            timeout=_START_SECONDS,
        )
    )
    return url
