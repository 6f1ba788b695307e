"""Requests that are repeated while the Kubernetes API does not answer: for how long, and what is reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Final

from nemo_eval_operator.clock import duration_text
from nemo_eval_operator.kube import KubeUnavailable

from .access import explain, problem_of

__all__ = ["RETRY_SECONDS", "Retries"]

RETRY_SECONDS: Final = 90.0
"""Seconds after the first unanswered read of an object or list in which it is read again."""


class Retries:
    """Writes a line when the API stops answering, and one when it answers again.

    Reads of several objects share both lines. `seconds` after its first failure a read fails for good
    (None: the caller decides).
    """

    def __init__(self, note: Callable[[str], None], *, seconds: float | None) -> None:
        self._note = note
        self._seconds = seconds
        self._since: dict[str, float] = {}
        """When each read that fails now failed first, by object."""

    def failed(self, error: KubeUnavailable, name: str = "") -> None:
        """Note that a read was not answered. Raises CommandFailed when it is not to be repeated."""
        now = monotonic()
        if not self._since:
            limit = self._seconds
            end = "" if limit is None else f" for up to {duration_text(timedelta(seconds=limit))}"
            self._note(f"{problem_of(error)}; trying again{end}")
        since = self._since.setdefault(name, now)
        if self._seconds is not None and now - since >= self._seconds:
            raise explain(error) from error

    def answered(self, name: str = "") -> None:
        """Note that a read was answered."""
        if self._since.pop(name, None) is not None and not self._since:
            self._note("the Kubernetes API answers again")

    def ended(self, name: str) -> None:
        """Forget an object that is not read any more."""
        self._since.pop(name, None)
