"""A log line says what it says: no text from outside forges another line or moves a terminal's cursor."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from nemo_eval_operator.runtime.logs import CONTINUED, configure_logging
from nemo_eval_operator.settings import LogFormat

HOSTILE = "eval-1\n12:00:00 WARNING forged\r\x1b[2J\x9b31m\u2028\u202egnp\x7f Bearer canary-7d21a"

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

LINE = re.compile(r"\d\d:\d\d:\d\d (WARNING|ERROR) ")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def write(log_format: LogFormat) -> None:
    """A message, a trace whose exceptions repeat it, and the same once more from another library."""
    configure_logging(log_format, "info")
    logging.getLogger("nemo_eval_operator").warning("remote job %s not cancelled", HOSTILE)
    error = ValueError(HOSTILE)
    error.add_note(HOSTILE)
    try:
        raise error from KeyError(HOSTILE)
    except ValueError:
        logging.getLogger("kopf").exception("failed: %s", HOSTILE, stack_info=True)


def test_a_console_log_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    write(LogFormat.CONSOLE)
    written = capsys.readouterr().err
    assert not CONTROLS.search(written)
    assert "canary" not in written
    records = [line for line in written.splitlines() if not line.startswith(CONTINUED)]
    assert len(records) == 2, written
    assert all(LINE.match(line) for line in records)
    assert r"remote job eval-1\u000a12:00:00 WARNING forged" in records[0], "what came is still to be seen"


def test_a_json_log_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    write(LogFormat.JSON)
    written = capsys.readouterr().err
    assert not CONTROLS.search(written)
    assert "canary" not in written
    first, second = map(json.loads, written.splitlines())
    assert first["message"] == f"remote job {HOSTILE.replace('canary-7d21a', '******')} not cancelled"
    assert "Traceback (most recent call last)" in second["trace"]
