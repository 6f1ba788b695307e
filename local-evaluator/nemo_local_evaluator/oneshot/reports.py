"""Progress of an evaluation on stderr: a progress bar on a terminal, otherwise a line for every 10 %."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from nemo_local_evaluator.evaluations import Progress

__all__ = ["Report", "target_shown"]

MAX_MESSAGES: Final = 20
"""Messages that are shown; an unreachable endpoint fails every sample with the same message."""
_PER_CENT_A_LINE: Final = 10


def target_shown(target: Mapping[str, Any]) -> str:
    """Return what is evaluated, for people: `model NAME` or the target's type. URLs may hold credentials."""
    model = target.get("model")
    if isinstance(model, Mapping):
        model = (model.get("api_endpoint") or {}).get("model_id")
    return f"model {model}" if model else str(target["type"])


class Report:
    """An Observer for a terminal or a log; to be used as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._messages = 0
        self._reported: int | None = None
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("samples"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal or console.is_dumb_terminal,
            transient=True,
        )
        self._line = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def progress(self, progress: Progress) -> None:
        running = [name for name, status in progress.task_status.items() if status == "running"]
        self._bar.update(
            self._line,
            description=", ".join(running) or "evaluating",
            completed=progress.processed,
            total=progress.total,
        )
        reached = int(progress.percent) // _PER_CENT_A_LINE
        if self._bar.disable and reached != self._reported:
            self._reported = reached
            self._print(f"{progress.percent:g} % ({progress.processed} of {progress.total} samples)")

    def log(self, message: str) -> None:
        self._messages += 1
        if self._messages <= MAX_MESSAGES:
            self._print(message)
        elif self._messages == MAX_MESSAGES + 1:
            self._print("More messages are not shown.")

    def sample(self, task: str, document: Mapping[str, Any]) -> None:
        """Samples are in the result, as far as it keeps them."""

    def _print(self, message: str) -> None:
        self._bar.console.print(message, markup=False, highlight=False, soft_wrap=True)
