"""Child processes that are ready once started and never outlive their parent.

Every part of the testbed is a child in a `Processes` group. A child leads a process group of its own, so that
a Ctrl-C in the terminal reaches only the parent, which stops the parts in reverse order.
If the parent is killed, the Linux kernel kills the children (PDEATHSIG).
"""

import contextlib
import ctypes
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

__all__ = [
    "Child",
    "ProcessError",
    "Processes",
    "Program",
    "free_port",
    "http_ready",
    "interrupt_on_sigterm",
    "log_tail",
]

_POLL_SECONDS: Final = 0.1
_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>
# Loaded before any fork: between fork and exec a child must not import or load anything.
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


class ProcessError(RuntimeError):
    """A part of the testbed did not start, or ended by itself. The message holds the end of its log."""


@dataclass(frozen=True)
class Program:
    """What to start, and how to find out that it is up."""

    name: str
    argv: Sequence[str]
    _: KW_ONLY
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)  # in addition to our own
    cwd: Path | None = None
    ready: Callable[[], bool] | None = None
    timeout: float = 60  # seconds in which it has to be ready
    grace: float = 10  # seconds between SIGTERM and SIGKILL


class Child:
    """A program that was started."""

    def __init__(self, program: Program) -> None:
        self.program = program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as output:
            self._popen = subprocess.Popen(
                program.argv,
                env={**os.environ, **program.env},
                cwd=program.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one C call, bound before the fork
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        if self._popen.returncode is None and self._popen.poll() is not None:
            # Now, and not at stop(): a pid whose process is reaped may belong to a stranger by then.
            self._signal(signal.SIGKILL)
        return self._popen.returncode

    def ending(self) -> str | None:
        """Return how it ended, e.g. "ended with exit code 1"; None while it runs."""
        code = self.exit_code()
        if code is None:
            return None
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def wait(self, timeout: float) -> int | None:
        """Wait for its end, at most TIMEOUT seconds; None if it still runs."""
        deadline = time.monotonic() + timeout
        while (code := self.exit_code()) is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return code

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        if self.exit_code() is None:
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and everything that it started, at once (SIGKILL)."""
        if self.exit_code() is None:
            self._signal(signal.SIGKILL)
            self._popen.wait()

    def stop(self) -> None:
        """Ask it to end, and kill it after its grace period."""
        self.terminate()
        self.wait(self.program.grace)
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self._popen.pid, number)


class Processes:
    """A group of children with one end: leaving the `with` block stops all of them, the last one first."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __iter__(self) -> Iterator[Child]:
        return iter(self._children)

    def start(self, program: Program) -> Child:
        """Start a program and return when it is ready; ProcessError if it ends first or takes too long."""
        try:
            child = Child(program)
        except OSError as error:
            msg = f"{program.name} cannot be started: {error}"
            raise ProcessError(msg) from error
        self._children.append(child)
        if program.ready is not None:
            _wait_until_ready(child, program.ready)
        return child

    def check(self) -> None:
        """Raise ProcessError if a child has ended by itself."""
        for child in self._children:
            _check_running(child)

    def remove(self, child: Child) -> None:
        """Stop one child and forget it."""
        child.stop()
        self._children.remove(child)

    def stop(self) -> None:
        """Stop all children, the last one first; a second Ctrl-C meanwhile kills the rest at once."""
        try:
            for child in reversed(self._children):
                child.stop()
        finally:
            for child in reversed(self._children):
                child.kill()
            self._children.clear()


def free_port() -> int:
    """A TCP port on loopback on which no process listens at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def http_ready(
    url: str, *, token: str | None = None, ca_file: Path | None = None, timeout: float = 2
) -> Callable[[], bool]:
    """A readiness condition: URL answers with a 2xx."""

    def ready() -> bool:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310
        context = ssl.create_default_context(cafile=ca_file) if ca_file else None
        with urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        ).open(request, timeout=timeout):
            return True

    return ready


def interrupt_on_sigterm() -> None:
    """Make SIGTERM unwind the stack as Ctrl-C does, so that every `with` block ends its children."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, handler)


def log_tail(path: Path, *, lines: int = 25) -> str:
    """The end of a log, indented."""
    text = path.read_text(errors="replace") if path.exists() else ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (empty)"


def _wait_until_ready(child: Child, ready: Callable[[], bool]) -> None:
    program = child.program
    deadline = time.monotonic() + program.timeout
    while True:
        _check_running(child)
        # URLError, time-outs and TLS errors are OSErrors too: while a part starts, each only means "not yet".
        with contextlib.suppress(OSError):
            if ready():
                return
        if time.monotonic() > deadline:
            msg = f"{program.name} not ready after {program.timeout:.0f} s; its log:\n{log_tail(program.log)}"
            raise ProcessError(msg)
        time.sleep(_POLL_SECONDS)


def _check_running(child: Child) -> None:
    if ending := child.ending():
        program = child.program
        msg = f"{program.name} {ending}; its log:\n{log_tail(program.log)}"
        raise ProcessError(msg)


def _die_with_parent() -> Callable[[], None] | None:
    if _libc is None:
        return None
    libc, parent = _libc, os.getpid()

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call above
            os._exit(1)

    return bind
