"""Terminals of a given width, and runs to show on them."""

from __future__ import annotations

import io

from rich.console import Console

from nemo_eval_operator.plugin.report import Run
from nemo_eval_operator.plugin.report.model import Criterion


def terminal(width: int) -> Console:
    # Without a height, rich takes the width of a dumb terminal, which CI has, to be 80.
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=50,
        color_system=None,
        markup=False,
        highlight=False,
    )


def printed_lines(console: Console) -> list[str]:
    """Return the lines that were printed on a `terminal`."""
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO of `terminal`
    lines: list[str] = text.splitlines()
    return lines


def run_named(name: str, *criteria: Criterion) -> Run:
    return Run(
        name=name,
        namespace="n",
        outcome="succeeded",
        passed=True,
        message="",
        model="m",
        benchmark="b",
        confidence=0.95,
        verdict="Failed" if criteria else None,
        criteria=criteria,
    )
