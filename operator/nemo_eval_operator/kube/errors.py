"""What can go wrong between us and the Kubernetes API.

KubeError
├── ObjectGone      404, or another object now bears the name
├── Outdated        409: somebody wrote since we read; 410: a list's rest is too old. Read again
├── ObjectTooLarge  more than this operator reads of one object
├── KubeRefused     other 4xx: our request or our RBAC is wrong
└── KubeUnavailable no answer, 429 or 5xx: try again later
"""

from __future__ import annotations

from nemo_eval_operator.json_types import JsonObject

__all__ = ["KubeError", "KubeRefused", "KubeUnavailable", "ObjectGone", "ObjectTooLarge", "Outdated"]


class KubeError(Exception):
    """A call to the Kubernetes API did not do what was asked."""


class ObjectGone(KubeError):
    """The object that was read is no longer there."""


class Outdated(KubeError):
    """A resourceVersion is not the latest, the name to create exists, or a list has to begin anew."""


class KubeRefused(KubeError):
    """The API server said no, and will again."""


class KubeUnavailable(KubeError):
    """Retryable: the API server did not answer or asked for patience."""


class ObjectTooLarge(KubeError):
    """The object has more than is read of one. `rest` has what was read: metadata and status."""

    def __init__(self, problem: str, rest: JsonObject) -> None:
        super().__init__(problem)
        self.rest = rest
