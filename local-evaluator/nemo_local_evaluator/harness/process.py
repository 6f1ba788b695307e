"""Runs lm-eval in a process group of its own, which ends when the evaluation ends, for whatever reason."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter

from nemo_local_evaluator.wire.errors import EvaluationError
from nemo_local_evaluator.wire.masking import MASK

from .child import Request

__all__ = ["Harness", "HarnessRun", "Scores"]

SILENCE: Final = 1800.0
"""Seconds for which lm-eval may print nothing, beyond a call and its retries: loading data takes long."""

_MAX_EVENT_BYTES: Final = 64 * 1024 * 1024
_MAX_LINE: Final = 16 * 1024
"""Characters of a line of the log; what is beyond is dropped."""
_TAIL_LINES: Final = 5
_CHUNK_BYTES: Final = 64 * 1024
_SECONDS_BETWEEN_BARS: Final = "10"

_CHILD: Final = Path(__file__).with_name("child.py")
_NOT_INHERITED: Final = (
    "OPENAI_API_KEY",
    "HF_ALLOW_CODE_EVAL",
    "HF_DATASETS_TRUST_REMOTE_CODE",
    "NEMO_LOCAL_EVALUATOR_TOKEN",
)


class Scores(BaseModel):
    kind: Literal["scores"]
    tasks: dict[str, dict[str, Any]]
    groups: dict[str, dict[str, Any]]
    filters: dict[str, list[str]]


class _Sample(BaseModel):
    kind: Literal["sample"]
    task: str
    document: dict[str, Any]


class _Failure(BaseModel):
    kind: Literal["failure"]
    message: str


_EVENT: Final = TypeAdapter[Scores | _Sample | _Failure](
    Annotated[Scores | _Sample | _Failure, Field(discriminator="kind")]
)


@dataclass(frozen=True, kw_only=True)
class Harness:
    """Interpreter and directories with which the server runs lm-eval."""

    python: Path = field(default_factory=lambda: Path(sys.executable))
    """The interpreter that lm-eval is installed for."""
    task_directories: tuple[Path, ...] = ()
    """Directories of more tasks. Their YAML may name Python functions, which run here."""
    tokenizer_directories: tuple[Path, ...] = ()
    """Directories beneath which params.extra.tokenizer may name one by its path."""


@dataclass(frozen=True, kw_only=True)
class HarnessRun:
    """One evaluation. Cancelling `scores` kills lm-eval."""

    harness: Harness
    request: Request
    api_key: str | None = field(default=None, repr=False)
    hf_token: str | None = field(default=None, repr=False)
    silence: float = SILENCE
    log: Callable[[str], None]
    sample: Callable[[str, Mapping[str, Any]], None]

    async def scores(self) -> Scores:
        """Raises EvaluationError."""
        # An empty directory to be in: a name that lm-eval looks up as a file finds none.
        with tempfile.TemporaryDirectory() as directory:
            async with self._child(Path(directory)) as child:
                try:
                    async with asyncio.timeout(self.silence) as patience:
                        return await self._converse(child, patience)
                except TimeoutError as error:
                    raise EvaluationError(
                        f"lm-eval wrote no output for {self.silence:g} s and was stopped"
                    ) from error

    @contextlib.asynccontextmanager
    async def _child(self, directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
        try:
            child = await asyncio.create_subprocess_exec(
                # Its own name, where it is a link: that is how Python finds the environment it belongs to.
                self.harness.python.absolute(),
                "-P",
                _CHILD,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_MAX_EVENT_BYTES,
                cwd=directory,
                env=self._environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise EvaluationError(f"lm-eval's interpreter cannot be started: {error}") from error
        try:
            yield child
        finally:
            _kill_group(child)
            if child.stdin:
                child.stdin.close()
            await child.communicate()

    async def _converse(self, child: asyncio.subprocess.Process, patience: asyncio.Timeout) -> Scores:
        if not (child.stdin and child.stdout and child.stderr):
            raise RuntimeError("the child was started without pipes")

        def on_output() -> None:
            if not patience.expired():
                patience.reschedule(asyncio.get_running_loop().time() + self.silence)

        directories = [str(directory.resolve()) for directory in self.harness.task_directories]
        request: Request = {**self.request, "task_directories": directories}
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        following = asyncio.create_task(self._follow(child.stderr, on_output, tail))
        try:
            # Where it ends at once, its exit status and last output say more than the broken pipe.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                child.stdin.write(json.dumps(request).encode() + b"\n")
                await child.stdin.drain()
            last = await self._last_event(child.stdout, on_output)
            status = await child.wait()
            # Its own children keep stderr open.
            _kill_group(child)
            await following
        finally:
            following.cancel()
            await asyncio.wait({following})
        if isinstance(last, Scores):
            return last
        if last is None:
            raise EvaluationError(
                f"lm-eval ended with exit status {status}: {' | '.join(tail) or 'no output'}"
            )
        raise EvaluationError(self._masked(last.message))

    async def _last_event(
        self, stdout: asyncio.StreamReader, on_output: Callable[[], None]
    ) -> Scores | _Failure | None:
        last: Scores | _Failure | None = None
        try:
            async for line in stdout:
                on_output()
                event = _EVENT.validate_json(line)
                if isinstance(event, _Sample):
                    self.sample(event.task, event.document)
                else:
                    last = event
        except ValueError as error:
            raise EvaluationError(f"the output of lm-eval cannot be read: {type(error).__name__}") from error
        return last

    async def _follow(
        self, stderr: asyncio.StreamReader, on_output: Callable[[], None], tail: deque[str]
    ) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        pending = ""
        while chunk := await stderr.read(_CHUNK_BYTES):
            on_output()
            # A progress bar returns the carriage instead of ending the line.
            *lines, pending = re.split(r"[\r\n]+", self._masked(pending + decoder.decode(chunk)))
            pending = pending[:_MAX_LINE]
            self._log(lines, tail)
        self._log([pending], tail)

    def _log(self, lines: list[str], tail: deque[str]) -> None:
        for line in lines:
            if line.strip():
                self.log(line[:_MAX_LINE])
                tail.append(line[:_MAX_LINE])

    def _masked(self, text: str) -> str:
        for secret in (self.api_key, self.hf_token):
            if secret:
                text = text.replace(secret, MASK)
        return text

    def _environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if key not in _NOT_INHERITED}
        return {
            **inherited,
            # Where lm-eval looks for the key; it is sent to whichever endpoint the job names.
            "OPENAI_API_KEY": self.api_key or "",
            **({"HF_TOKEN": self.hf_token} if self.hf_token else {}),
            "TQDM_MININTERVAL": _SECONDS_BETWEEN_BARS,
            "TOKENIZERS_PARALLELISM": "false",
        }


def _kill_group(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
