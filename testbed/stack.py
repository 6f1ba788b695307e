"""The project's two programs as processes, started by the commands that a user would type."""

import json
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from testbed.model import ModelEndpoint
from testbed.processes import Processes, Program, free_port, http_ready

__all__ = ["operator_command", "operator_program", "start_evaluator", "start_operator"]


def start_evaluator(
    processes: Processes,
    workdir: Path,
    *,
    datasets: Path,
    models: Mapping[str, ModelEndpoint] | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    workers: int = 4,
    quirks: Iterable[str] = (),
    called: Iterable[str] = (),
) -> str:
    """The local NeMo Evaluator, reading datasets from DATASETS, WORKERS jobs at once; returns its URL.

    CALLED are host names that it is reached by, where HOST is a loopback address.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    registry = workdir / "models.json"
    registry.touch(mode=0o600)
    registry.write_text(json.dumps({name: model.as_registered() for name, model in (models or {}).items()}))
    argv = [
        _command("nemo-local-evaluator"),
        "serve",
        "--data",
        str(workdir / "evaluator"),
        "--host",
        host,
        "--port",
        str(port),
    ]
    argv += ["--allow-path", str(datasets), "--models", str(registry), "--workers", str(workers)]
    for quirk in quirks:
        argv += ["--quirk", quirk]
    for name in called:
        argv += ["--allowed-host", name]
    url = f"http://{host}:{port}"
    log = workdir / "evaluator.log"
    processes.start(Program("evaluator", argv, log=log, ready=http_ready(f"{url}/health"), grace=5))
    return url


def start_operator(
    processes: Processes,
    workdir: Path,
    *,
    kubeconfig: Path,
    evaluator_url: str,
    namespaces: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
    probe: str = "readyz",
) -> str:
    """The operator, watching NAMESPACES or all of them; returns the URL of its health endpoint.

    COMMAND is what to start instead of the one that is installed here, PROBE what has to be answered first.
    """
    port = free_port()
    program = operator_program(
        workdir,
        kubeconfig=kubeconfig,
        evaluator_url=evaluator_url,
        namespaces=namespaces,
        env=env,
        port=port,
        command=command,
    )
    url = f"http://127.0.0.1:{port}"
    processes.start(replace(program, ready=http_ready(f"{url}/{probe}")))
    return f"{url}/healthz"


def operator_command() -> list[str]:
    """`nemo-eval-operator`, to be followed by its arguments."""
    return [_command("nemo-eval-operator")]


def operator_program(
    workdir: Path,
    *,
    kubeconfig: Path,
    evaluator_url: str,
    port: int,
    namespaces: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
) -> Program:
    """The operator as a program to start; its health endpoint is at `port`."""
    argv = [*(command or operator_command()), "run", "--kubeconfig", str(kubeconfig)]
    argv += ["--evaluator-url", evaluator_url, "--health-port", str(port), "--log-format", "console"]
    for namespace in namespaces:
        argv += ["--namespace", namespace]
    # The default suits evaluations of hours; here they take seconds.
    environment = {"NEMO_POLL_INTERVAL_SECONDS": "1", **(env or {})}
    log = workdir / "operator.log"
    ready = http_ready(f"http://127.0.0.1:{port}/readyz")
    return Program("operator", argv, env=environment, log=log, ready=ready, grace=15)


def _command(name: str) -> str:
    """A console script of the environment that we run in."""
    return str(Path(sysconfig.get_path("scripts")) / name)
