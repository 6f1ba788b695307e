"""How the demo shows what goes on: one live table on a terminal, a line for each change elsewhere."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

__all__ = ["JobRow", "View", "open_view"]

_STYLES = {
    "Running": "cyan",
    "Succeeded": "green",
    "Failed": "red",
    "Cancelling": "yellow",
    "Cancelled": "yellow",
    "Deleted": "yellow",
}


@dataclass(frozen=True)
class JobRow:
    """What one NemoEvalJob's status says at this moment."""

    name: str
    phase: str = "Pending"
    percent: int | None = None
    score: str = ""
    message: str = ""
    verdict: str = ""

    @property
    def result(self) -> str:
        """Scores, and the verdict where the job has a gate; empty before there are any."""
        return f"{self.score}, gate {self.verdict}" if self.score and self.verdict else self.score

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> Self:
        status = job.get("status", {})
        return cls(
            name=job["metadata"]["name"],
            phase=status.get("phase") or "Pending",
            percent=(status.get("progress") or {}).get("percent"),
            score=status.get("score") or "",
            message=status.get("message") or "",
            verdict=(status.get("gate") or {}).get("verdict") or "",
        )


class View(Protocol):
    """A context manager, so that a terminal is left as it was found."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None: ...

    def show(self, rows: Sequence[JobRow]) -> None: ...


def open_view() -> View:
    """The view that suits standard output."""
    console = Console(highlight=False)
    return _LiveTable(console) if console.is_terminal and not console.is_dumb_terminal else _Lines()


class _LiveTable:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(Text(text, style="bold"))

    def show(self, rows: Sequence[JobRow]) -> None:
        table = Table(
            "NEMOEVALJOB", "PHASE", "PROGRESS", "", "SCORES", box=None, header_style="dim", padding=(0, 2)
        )
        for row in rows:
            percent = row.percent or 0
            table.add_row(
                row.name,
                Text(row.phase, style=_STYLES.get(row.phase, "")),
                ProgressBar(total=100, completed=percent, width=24),
                "" if row.percent is None else f"{percent} %",
                row.result or Text(row.message, style="dim", overflow="ellipsis", no_wrap=True),
            )
        self._live.update(table)


class _Lines:
    """For logs: a line when a phase or verdict changes, and when a running job has done another quarter."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._seen: dict[str, tuple[str, int, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def say(self, text: str) -> None:
        print(text, flush=True)

    def show(self, rows: Sequence[JobRow]) -> None:
        for row in rows:
            state = (row.phase, (row.percent or 0) // 25, row.verdict)
            if self._seen.get(row.name) != state:
                self._seen[row.name] = state
                percent = "" if row.percent is None else f"{row.percent:3} %"
                detail = row.result or row.message
                elapsed = time.monotonic() - self._started
                print(
                    f"{elapsed:6.1f} s  {row.name:26} {row.phase:11} {percent:6} {detail}".rstrip(),
                    flush=True,
                )
