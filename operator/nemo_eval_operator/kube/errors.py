"""Errors of the Kubernetes API, sorted by what a caller may do next.

KubeError
├── ObjectGone      404, or another object has the name now
├── Outdated        409: written since it was read; 410: the rest of a list is too old. Read again
├── ObjectTooLarge  more than this operator reads of one object
├── KubeRefused     other 4xx: the request is wrong
│   └── KubeForbidden   401 or 403: the credentials or the RBAC
│       └── KubeUnauthorized    401: the credentials
└── KubeUnavailable no answer, 429 or 5xx: try again later
    └── KubeUnanswered  no complete answer
"""

from __future__ import annotations

from nemo_eval_operator.json_types import JsonObject

from .no_answer import NoAnswer

__all__ = [
    "KubeError",
    "KubeForbidden",
    "KubeRefused",
    "KubeUnanswered",
    "KubeUnauthorized",
    "KubeUnavailable",
    "ObjectGone",
    "ObjectTooLarge",
    "Outdated",
]


class KubeError(Exception):
    """A call to the Kubernetes API did not do what was asked."""


class ObjectGone(KubeError):
    """The object that was read no longer exists."""


class Outdated(KubeError):
    """A resourceVersion is not the latest, the name to create exists, or a list has to be restarted."""


class KubeRefused(KubeError):
    """The API server refuses the request, and would refuse it again."""


class KubeForbidden(KubeRefused):
    """The credentials are not valid, or RBAC does not allow the request; the message names the right."""


class KubeUnauthorized(KubeForbidden):
    """The credentials are not valid for `server`, as messages name it."""

    def __init__(self, problem: str, *, server: str) -> None:
        super().__init__(problem)
        self.server = server


class KubeUnavailable(KubeError):
    """Retryable: the API server did not answer or asked for patience."""


class KubeUnanswered(KubeUnavailable):
    """No complete answer came from `server`, as messages name it; whether the request arrived is unknown."""

    def __init__(self, problem: str, *, server: str, cause: NoAnswer) -> None:
        super().__init__(problem)
        self.server = server
        self.cause = cause


class ObjectTooLarge(KubeError):
    """The object has more than is read of one. `rest` has what was read: metadata and status."""

    def __init__(self, problem: str, rest: JsonObject) -> None:
        super().__init__(problem)
        self.rest = rest
