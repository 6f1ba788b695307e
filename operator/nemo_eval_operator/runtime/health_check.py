"""Check of a running operator's /healthz, for the command `health` and a container's HEALTHCHECK."""

from __future__ import annotations

from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

__all__ = ["Unhealthy", "check_health"]

MAX_BODY_CHARACTERS: Final = 200
"""Characters that are shown of an answer that is not the operator's."""


class Unhealthy(Exception):
    """The operator does not answer, or reports that a loop is stuck; the message names it."""


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    overdue_seconds: dict[str, float]


def check_health(port: int, *, timeout: float) -> None:
    """Request /healthz on `port` of this machine, for `timeout` seconds at most. Raises Unhealthy."""
    url = f"http://127.0.0.1:{port}/healthz"
    try:
        # Never by a proxy, whatever the environment says: the operator is in this very container.
        with httpx.Client(trust_env=False, timeout=timeout) as http:
            response = http.get(url)
    except httpx.HTTPError as error:
        msg = f"no answer from {url}: {error}"
        raise Unhealthy(msg) from error
    if response.is_success:
        return
    try:
        overdue = _Answer.model_validate_json(response.content).overdue_seconds
    except ValidationError as error:
        msg = f"{url} answered {response.status_code}: {response.text[:MAX_BODY_CHARACTERS]}"
        raise Unhealthy(msg) from error
    late = ", ".join(f"{name} by {seconds:.0f} s" for name, seconds in sorted(overdue.items()))
    msg = f"overdue: {late}"
    raise Unhealthy(msg)
