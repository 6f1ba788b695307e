"""How a long build reports its progress, and what it says when it fails."""

import sys
from pathlib import Path

import pytest

from testbed.builds import progress_text, run_build
from testbed.processes import ProcessError


@pytest.mark.parametrize(
    ("done", "elapsed", "text"),
    [
        (0.0, 15.0, "building, 15s so far"),
        (0.25, 60.0, "25%, 1m0s so far, about 3m0s left"),
        (0.9, 90.0, "90%, 1m30s so far, about 10s left"),
    ],
)
def test_a_build_says_how_far_it_is(done: float, elapsed: float, text: str) -> None:
    assert progress_text(done, elapsed) == text


def test_a_build_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    program = "import sys; print('no such package: x'); sys.exit(3)"

    with pytest.raises(ProcessError, match=r"(?s)exit code 3.*no such package: x"):
        run_build([sys.executable, "-c", program], log=tmp_path / "log")
