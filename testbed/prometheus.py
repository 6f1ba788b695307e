"""Prometheus: the one in PATH where there is one, else ours, built once into the cache."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from testbed.go_programs import PROGRAMS, GoProgram
from testbed.processes import Processes, Program, free_port, http_ready

__all__ = ["Prometheus", "prometheus_command", "start_prometheus"]

_VERSION: Final = "v3.16.0"  # of github.com/prometheus/prometheus in tests/programs/prometheus/go.mod

_PROMETHEUS: Final = GoProgram(
    name="prometheus",
    package="github.com/prometheus/prometheus/cmd/prometheus",
    # A module of its own: its dependencies would change the versions that the control plane is built with.
    module=PROGRAMS / "prometheus",
    # Static targets suffice; service discovery brings the clients of all clouds.
    tags="remove_all_sd",
    announcement=(
        f"Building Prometheus {_VERSION} from tests/programs/prometheus: about 5 minutes on two cores, once."
    ),
    instead="There is neither a Prometheus nor a Go to build one with: install one of them.",
)


@functools.cache
def prometheus_command() -> str:
    """The path of a Prometheus."""
    return shutil.which("prometheus") or str(_PROMETHEUS.built())


class Prometheus:
    """A running Prometheus, by its HTTP API."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now. Raises AssertionError where Prometheus refuses it."""
        series: list[dict[str, Any]] = self._data("query", query=expression)["result"]
        return series

    def query_range(self, expression: str, *, start: float, end: float, step: int) -> list[dict[str, Any]]:
        """The series of an expression over a time, by seconds since 1970, with a value each STEP seconds."""
        times = {"start": str(start), "end": str(end), "step": str(step)}
        series: list[dict[str, Any]] = self._data("query_range", query=expression, **times)["result"]
        return series

    def label_values(self, label: str, metric: str) -> list[str]:
        values: list[str] = self._data(f"label/{label}/values", **{"match[]": metric})
        return values

    def rules(self) -> dict[str, dict[str, Any]]:
        """The loaded rules by name."""
        groups = self._data("rules")["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def _data(self, path: str, **params: str) -> Any:
        answer = httpx.get(f"{self._url}/{path}", params=params, timeout=10).json()
        if answer["status"] != "success":
            raise AssertionError(f"{path} {params}: {answer.get('error')}")
        return answer["data"]


def start_prometheus(
    processes: Processes,
    workdir: Path,
    *,
    scrape: Mapping[str, Any],
    rules: Sequence[Mapping[str, Any]] = (),
) -> Prometheus:
    """Start a Prometheus with one entry of scrape_configs and these groups of rules."""
    workdir.mkdir(parents=True)
    (workdir / "rules.yml").write_text(json.dumps({"groups": list(rules)}))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [scrape],
    }
    (workdir / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [
        prometheus_command(),
        f"--config.file={workdir / 'prometheus.yml'}",
        f"--storage.tsdb.path={workdir / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    processes.start(
        Program("prometheus", argv, log=workdir / "prometheus.log", ready=http_ready(f"{url}/-/ready"))
    )
    return Prometheus(url)
