"""The library by which Argo CD evaluates triggers of notifications, as a small program of ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from testbed.go_programs import PROGRAMS, GoProgram

__all__ = ["NOTIFICATIONS", "messages_about"]

_VERSION: Final = "v0.5.0"  # of notifications-engine in tests/programs/notifications/go.mod

NOTIFICATIONS: Final = GoProgram(
    name="notifications",
    package=".",
    module=PROGRAMS / "notifications",
    announcement=f"Building a reader of Argo CD's notifications-engine {_VERSION}: about 15 seconds, once.",
    instead="The tests use the library of Argo CD's notifications, and there is no Go to build it with.",
)

_messages = TypeAdapter(dict[str, list[str]])


def messages_about(config: Mapping[str, str], application: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the messages of argocd-notifications-cm, by its data, about an Application, by trigger."""
    done = subprocess.run(
        [NOTIFICATIONS.built()],
        input=json.dumps({"config": dict(config), "app": application}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return _messages.validate_json(done.stdout)
