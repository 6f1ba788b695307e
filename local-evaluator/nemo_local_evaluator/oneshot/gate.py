"""The gate of `run`: the operator's command `gate`, which judges the results as a child process.

The two programs share no code, so that each can be installed without the other. The command line is their
contract: `gate --check` before the evaluation, `gate` after it, and the exit codes of both.
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

__all__ = ["UNREADABLE", "Gate", "NotJudged"]

UNREADABLE: Final = 3
"""Exit code where there is no verdict, as `nemo-eval-operator gate` has it."""

_PROGRAM: Final = "nemo-eval-operator"
_VERDICTS: Final = (0, 1, 2)
"""Exit codes of `gate`: passed, failed, inconclusive."""


class NotJudged(Exception):
    """There is no verdict; the message says why."""


class Gate:
    """A policy, and the results of the run to compare with."""

    def __init__(self, policy: Path, baselines: Sequence[Path]) -> None:
        """Check the policy, and that the baselines can be read. Raise NotJudged."""
        self._program = _installed()
        self._arguments = [f"--policy={policy}", *(f"--baseline={path}" for path in baselines)]
        checked = self._run("--check")
        if checked.returncode:
            raise _not_judged(checked)

    def judge(self, results: str) -> tuple[str, int]:
        """Return the verdict on results, a JSON document, as text and as exit code. Raise NotJudged."""
        with TemporaryDirectory(prefix="nemo-local-evaluator-") as scratch:
            candidate = Path(scratch, "results.json")
            candidate.write_text(results)
            judged = self._run(f"--candidate={candidate}")
        # A program that crashes ends with 1, too, but prints no verdict.
        if judged.returncode not in _VERDICTS or not judged.stdout:
            raise _not_judged(judged)
        return judged.stdout.rstrip("\n"), judged.returncode

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self._program, "gate", *self._arguments, *arguments]
        try:
            return subprocess.run(  # noqa: S603 - the operator's own program, with paths of the user
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise NotJudged(f"{self._program} cannot be started: {error.strerror}") from error


def _installed() -> str:
    """Return the path of the operator's program: that of the same environment, else that of PATH."""
    program = shutil.which(_PROGRAM, path=sysconfig.get_path("scripts")) or shutil.which(_PROGRAM)
    if program is None:
        raise NotJudged(
            f"--gate needs the program {_PROGRAM}, which is not installed:"
            " run `pip install .` in the checkout of its repository"
        )
    return program


def _not_judged(ended: subprocess.CompletedProcess[str]) -> NotJudged:
    return NotJudged(ended.stderr.strip() or f"{_PROGRAM} gate ended with exit code {ended.returncode}")
