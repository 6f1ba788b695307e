"""Paths of the evaluator's API, and the routes by which calls are counted."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

__all__ = ["CONFIGS", "JOBS", "config_path", "job_path", "route_of"]

CONFIGS: Final = "/v1/evaluation/configs"
JOBS: Final = "/v1/evaluation/jobs"


def route_of(path: str) -> str:
    """The path without what is named in it, of which there is no end."""
    collection = JOBS if path.startswith(JOBS) else CONFIGS
    named, operation = ("{id}", 2) if collection is JOBS else ("{namespace}/{name}", 3)
    parts = path.removeprefix(collection).split("/")
    return "/".join([collection, *([named] if len(parts) > 1 else []), *parts[operation:]])


def config_path(namespace: str, name: str) -> str:
    return f"{CONFIGS}/{segment_of(namespace)}/{segment_of(name)}"


def job_path(job_id: str) -> str:
    return f"{JOBS}/{segment_of(job_id)}"


def segment_of(name: str) -> str:
    """A name as one segment of a path, also if it is `..`, which servers would resolve."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")
