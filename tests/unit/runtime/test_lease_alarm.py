"""The alarm ends a process whose lease has run out, in whatever state that process is."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.connection_table import bytes_unsent, needs_connection_table
from tests.small_buffers import listen_with_small_buffers
from tests.unit.runtime import frozen_sender

ROOT = Path(__file__).parents[3]

SECONDS = 30
"""Seconds after which a process that should have ended fails its test."""

IMPORTS = (
    "import logging, signal, threading, time\nfrom nemo_eval_operator.runtime import lease_alarm, logs\n"
)

ALARM = "alarm = lease_alarm.LeaseAlarm()\n"

END_AND_WAIT = "alarm.set(time.monotonic() - 1)\nthreading.Event().wait()"

HOLD_THE_LOG = """
other = threading.Thread(target=logging.getLogger().handlers[0].acquire)
other.start()
other.join()
"""

MESSAGE = "stopped at once: the lease ran out while this process was frozen or busy"


def python(*parts: str) -> list[str]:
    return [sys.executable, "-c", IMPORTS + "".join(parts)]


@contextlib.contextmanager
def frozen(lease: str) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """Yield a process that was frozen during a request until after its alarm, and the connection it sends on.

    All that the kernel had taken of its request was read.
    """
    with listen_with_small_buffers() as listener:
        listener.settimeout(SECONDS)
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", frozen_sender.__name__, str(port), lease]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            try:
                connection, _ = listener.accept()
                with connection:
                    read_until_frozen(child, connection)
                    yield child, connection
            finally:
                child.kill()


def read_until_frozen(child: subprocess.Popen[bytes], connection: socket.socket) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    assert connection.recv(100)
    child.stdin.write(b"freeze\n")
    child.stdin.flush()
    at = float(child.stdout.readline())
    # It has stopped, or has ended where this took longer than the alarm's time.
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    port = connection.getsockname()[1]
    connection.settimeout(0.05)
    nothing_came = False
    while time.monotonic() < at or not nothing_came or bytes_unsent(port):
        try:
            nothing_came = not connection.recv(65536)
        except TimeoutError:
            nothing_came = True
    connection.settimeout(SECONDS)


def next_bytes(connection: socket.socket) -> bytes:
    """Return what comes next, which is nothing where the connection has ended."""
    with contextlib.suppress(ConnectionResetError):
        return connection.recv(65536)
    return b""


@needs_connection_table
class TestFrozenInTheMiddleOfARequest:
    def test_the_rest_is_not_sent_after_the_lease_ran_out(self) -> None:
        with frozen("held") as (child, connection):
            child.send_signal(signal.SIGCONT)

            assert next_bytes(connection) == b""
            assert child.wait(SECONDS) == 1

    def test_the_rest_is_sent_after_the_lease_was_released(self) -> None:
        with frozen("released") as (child, connection):
            child.send_signal(signal.SIGCONT)

            assert next_bytes(connection) != b""


def test_a_time_that_has_passed_ends_the_process_at_once() -> None:
    done = subprocess.run(python(ALARM, END_AND_WAIT), check=False, timeout=SECONDS)

    assert done.returncode == 1


def test_a_log_that_cannot_be_written_does_not_delay_the_end() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb"), open(writing, "wb", buffering=0) as full:  # noqa: PTH123 - these are descriptors
        os.set_blocking(writing, False)
        while full.write(b"x" * 4096):
            pass
        os.set_blocking(writing, True)

        done = subprocess.run(
            python(
                "logs.configure_logging(logs.LogFormat.CONSOLE, 'info')\n", ALARM, HOLD_THE_LOG, END_AND_WAIT
            ),
            stderr=full,
            check=False,
            timeout=SECONDS,
        )

        assert done.returncode == 1
        assert os.get_blocking(writing), "stderr may be shared with other processes"


def test_a_signal_that_the_parent_has_blocked_ends_the_process() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        child = subprocess.Popen(python(ALARM, END_AND_WAIT))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with child:
        try:
            assert child.wait(SECONDS) == 1
        finally:
            child.kill()


def last_words(log_format: str) -> str:
    configure = f"logs.configure_logging(logs.LogFormat('{log_format}'), 'info')\n"
    command = python(configure, ALARM, END_AND_WAIT)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS).stderr


def test_the_reason_is_one_line_of_text() -> None:
    assert re.fullmatch(rf"\d\d:\d\d:\d\d CRITICAL {MESSAGE}\n", last_words("console"))


def test_the_reason_is_one_object_of_json() -> None:
    (line,) = last_words("json").splitlines()

    written = json.loads(line)

    assert (written["level"], written["message"]) == ("critical", MESSAGE)
    assert written["logger"] == "nemo_eval_operator.runtime.lease_alarm"
