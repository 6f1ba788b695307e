"""Log lines: one JSON object each for collectors, or aligned text for people.

All that is logged leaves through these two formatters, so it is here that control characters are escaped and
what looks like a credential is masked, also in the traces of exceptions: their texts may be an evaluator's.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from typing_extensions import override

from nemo_eval_operator.evaluator.model import escaped, printable, redacted
from nemo_eval_operator.settings import LogFormat

__all__ = ["configure_logging"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

NOISY: Final = ("asyncio", "httpcore", "httpx", "kopf.activities", "kopf.objects")
"""Loggers whose INFO is a line for every request and every watch event."""

TASKS_OF_KOPF: Final = ("kopf._core.reactor.orchestration", "kopf._core.reactor.running")
"""The loggers by which Kopf reports each task that a failure ended, with its trace."""

CONTINUED: Final = "    | "
"""Begins each line of a trace. No line of a log begins so, whatever an exception's text holds."""


class TextFormatter(logging.Formatter):
    """Format of one line per record; lines of a trace are indented, so that none looks like a record."""

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))

    @override
    def formatException(self, ei: ExcInfo) -> str:
        return _indented(super().formatException(ei))

    @override
    def formatStack(self, stack_info: str) -> str:
        return _indented(super().formatStack(stack_info))


class JsonFormatter(logging.Formatter):
    """Format of one JSON object per record."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        if record.exc_info:
            line["trace"] = redacted(self.formatException(record.exc_info))
        # JSON leaves DEL, C1 controls and the marks for right-to-left text as they are.
        return escaped(json.dumps(line, ensure_ascii=False))


def configure_logging(log_format: LogFormat, level: str) -> None:
    """Send all loggers to stderr in one format."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format is LogFormat.JSON:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(TextFormatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S"))
    handler.addFilter(_is_reported_once)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))


def _is_reported_once(record: logging.LogRecord) -> bool:
    """Return whether no other line reports the same: `watching` logs once what ended all tasks of Kopf."""
    return not (record.exc_info and record.name in TASKS_OF_KOPF)


def _indented(trace: str) -> str:
    return "\n".join(CONTINUED + printable(line) for line in trace.split("\n"))
