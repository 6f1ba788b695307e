"""Exit codes of the commands, and the exception that ends one; scripts match them, so they do not change."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CommandFailed", "ExitCode"]


class ExitCode(IntEnum):
    """What a command's exit code says."""

    PASSED = 0
    FAILED = 1
    INCONCLUSIVE = 2
    TIMED_OUT = 3
    NOT_FOUND = 4
    """Not found, or forbidden."""
    UNAVAILABLE = 5
    """The Kubernetes API cannot be reached, or there is no kubeconfig."""
    USAGE = 64
    """The command line is wrong (EX_USAGE of sysexits.h): Click's 2 means inconclusive here."""
    INTERRUPTED = 130
    """Ended by Ctrl-C."""


class CommandFailed(Exception):
    """The command ends with this message, in one line, and this exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        self.code = code
        super().__init__(message)

    def about(self, name: str) -> str:
        """Return the message for a line that begins with the run's name."""
        return str(self).removeprefix(f"NemoEvalJob {name} ")
