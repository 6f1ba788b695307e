"""Read Parquet in a process of its own, whose memory is bounded whatever the file says of itself.

A few kilobytes of Parquet can stand for gigabytes: a dictionary's long value in every row, a list of one
value a billion times, a page that is unpacked as a whole. Headers of the file may be untrue, so looking at
them bounds nothing. The process sends rows as JSON, so that it can do no more than a JSON dataset could.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO, Final

from nemo_local_evaluator.processes import process_context
from nemo_local_evaluator.wire.bounds import has_too_many_parts
from nemo_local_evaluator.wire.depth import TOO_DEEP, is_too_deep
from nemo_local_evaluator.wire.errors import EvaluationError

from .refusals import bad_file, bad_row, too_large, too_many_values
from .row import MAX_ROW_BYTES, SizedRow, weight

__all__ = ["DECODER_BYTES", "read_parquet_apart"]

DECODER_BYTES: Final = 512 * 1024 * 1024
"""Address space for decoding, beyond what the process has when it begins."""

_MESSAGE_BYTES: Final = 1024 * 1024
"""Rows are sent together up to this size."""
_MAX_MESSAGE_BYTES: Final = 2 * MAX_ROW_BYTES + _MESSAGE_BYTES

_ROWS: Final = b"r"
_FAULT: Final = b"f"
_END: Final = b"e"


def read_parquet_apart(file: BinaryIO, name: str) -> Iterator[SizedRow]:
    """Yield the rows of a file. Raise EvaluationError where it is not Parquet, or needs too much memory."""
    context = process_context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_decode, args=(file.name, name, sender), daemon=True)
    process.start()
    sender.close()
    try:
        yield from _received(receiver, name)
    finally:
        receiver.close()
        process.kill()
        process.join()


def _received(receiver: Connection, name: str) -> Iterator[SizedRow]:
    while True:
        try:
            message = receiver.recv_bytes(_MAX_MESSAGE_BYTES)
        except (EOFError, OSError) as error:
            raise bad_file(name, "ended the process that read it") from error
        kind, content = message[:1], message[1:]
        if kind == _END:
            return
        if kind == _FAULT:
            raise EvaluationError(content.decode())
        for line in content.split(b"\n"):
            yield json.loads(line), weight(line)


def _decode(path: str, name: str, sender: Connection) -> None:
    """Run in the process: send the file's rows, and how the reading ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _limit_memory()
        with Path(path).open("rb") as file:
            _send_rows(file, name, sender)
        sender.send_bytes(_END)
    except BrokenPipeError:
        return  # the rows are no longer wanted
    except EvaluationError as error:
        fault = error
    except MemoryError:
        what = f"needs more than {DECODER_BYTES // 1024**2} MiB of memory to be decoded"
        fault = bad_file(name, what)
    except OSError as error:
        fault = bad_file(name, f"cannot be read: {error.strerror or error}")
    else:
        return
    sender.send_bytes(_FAULT + str(fault).encode("utf-8", "backslashreplace"))


def _limit_memory() -> None:
    import pyarrow as pa  # noqa: PLC0415 - only in the process that decodes

    # The other pools reserve address space that they may never use.
    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux":  # macOS counts shared mappings, which no limit could tell from ours
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + DECODER_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _send_rows(file: BinaryIO, name: str, sender: Connection) -> None:
    from .parquet import read_parquet  # noqa: PLC0415

    lines: list[bytes] = []
    size = 0
    for number, (row, _) in enumerate(read_parquet(file, name), start=1):
        if is_too_deep(row):
            raise bad_row(name, number, f"has {TOO_DEEP}")
        text = json.dumps(row, ensure_ascii=False, allow_nan=False)
        line = text.encode()
        if len(line) > MAX_ROW_BYTES:
            raise too_large(name, number)
        if has_too_many_parts(text):
            raise too_many_values(name, number)
        lines.append(line)
        size += len(line)
        if size >= _MESSAGE_BYTES:
            sender.send_bytes(_ROWS + b"\n".join(lines))
            lines, size = [], 0
    if lines:
        sender.send_bytes(_ROWS + b"\n".join(lines))
