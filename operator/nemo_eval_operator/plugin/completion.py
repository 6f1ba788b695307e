"""`kubectl_complete-nemoeval`: completes words for the shell, by kubectl's protocol for plugins.

kubectl runs it with the words after `nemoeval`, of which the last is to be completed, and reads candidates
and then a directive. Names are read by one call of kubectl, which knows every way to authenticate and starts
faster than a Kubernetes client in Python.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["candidates", "main"]

NO_FILES: Final = ":4"
"""Cobra's directive ShellCompDirectiveNoFileComp."""

FILES: Final = ":0"
"""Cobra's directive ShellCompDirectiveDefault: the shell completes file names."""

TIMEOUT_SECONDS: Final = 3
"""A shell waits for completion."""

LOCATION: Final = ("--namespace", "-n", "--context", "--kubeconfig")
"""Options that are passed on to kubectl."""

FILE_OPTIONS: Final = ("--kubeconfig", "--target", "--gate")

FORMAT_OPTIONS: Final = ("--output", "-o")

FORMATS: Final = ("csv", "json", "table", "wide", "yaml")

FORMATS_OF: Final = {"get": ("name",)}
"""Formats that only one command has."""

WRITES_A_FILE: Final = ("report",)
"""Commands whose -o is the name of a file."""

OTHER_VALUES: Final = (
    "--timeout",
    "--model",
    "-m",
    "--worst",
    "--by",
    "--task",
    "--flips",
    "--confidence",
    "--tracking-uri",
    "--experiment",
    "--lease",
    "--tail",
    "--evaluator-url",
    "--selector",
    "--labels",
    "-l",
    "--sampling-params",
    "--limit",
    "--priority",
    "--name",
)
"""Options whose values are not completed. All that are in none of these lists are flags."""

TRACKERS: Final = ("mlflow",)
"""What the first word after `export` may be."""

WITHOUT_NAMES: Final = ("run", "doctor", "import")
"""Commands without the name of a run."""

KINDS: Final = {
    "-n": "namespaces",
    "--namespace": "namespaces",
    "--operator-namespace": "namespaces",
    "-b": "nemobenchmarks.evaluator.nemo.dev",
    "--benchmark": "nemobenchmarks.evaluator.nemo.dev",
    "--baseline": "nemoevaljobs.evaluator.nemo.dev",
    "--like": "nemoevaljobs.evaluator.nemo.dev",
}
"""Kind whose names complete an option's value."""


def candidates(words: Sequence[str]) -> list[str]:
    """Return the lines to print for the words of a command line; the last is to be completed."""
    *before, last = words or [""]
    previous = before[-1] if before else ""
    if previous in FILE_OPTIONS or (previous in FORMAT_OPTIONS and before[0] in WRITES_A_FILE):
        return [FILES]
    if previous in FORMAT_OPTIONS:
        return [*_starting(last, (*FORMATS, *FORMATS_OF.get(before[0], ()))), NO_FILES]
    if previous in KINDS:
        return [*_starting(last, _names(KINDS[previous], before[:-1])), NO_FILES]
    if not before or last.startswith("-"):
        return [*_starting(last, _commands_or_options(before)), NO_FILES]
    if before == ["import"]:
        return [FILES]
    if before[0] in WITHOUT_NAMES or previous in (*OTHER_VALUES, "--context"):
        return [NO_FILES]
    if before == ["export"]:
        return [*_starting(last, TRACKERS), NO_FILES]
    given = set(before[1:])
    names = (name for name in _names("nemoevaljobs.evaluator.nemo.dev", before) if name not in given)
    return [*_starting(last, names), NO_FILES]


def _starting(start: str, found: Iterable[str]) -> list[str]:
    return [one for one in found if one.startswith(start)]


def _names(kind: str, words: Sequence[str]) -> list[str]:
    """Return the names of all objects of the kind, where the words' options say; none without an answer."""
    scope: list[str] = []
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word in LOCATION and value:
            scope += [word, value]
        elif word.startswith(tuple(f"{option}=" for option in LOCATION)):
            scope.append(word)
    limits = ("--chunk-size=0", f"--request-timeout={TIMEOUT_SECONDS}s")
    command = ["kubectl", "get", kind, "--output=name", *limits]
    try:
        done = subprocess.run(  # noqa: S603 - arguments, without a shell
            [*command, *scope], capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.rpartition("/")[2] for line in done.stdout.splitlines()]


def _commands_or_options(before: Sequence[str]) -> list[str]:
    from .main import described_words  # noqa: PLC0415 - names need no command line

    return described_words(before[0] if before else None)


def main() -> None:
    """Entry point of kubectl_complete-nemoeval."""
    sys.stdout.write("".join(f"{line}\n" for line in candidates(sys.argv[1:])))
