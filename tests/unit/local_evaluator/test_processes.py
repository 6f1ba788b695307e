"""Worker processes: what they have imported, and what the server leaves of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from testbed.processes import Processes, Program, free_port, http_ready

SCRIPT = """
import asyncio, io, pyarrow, pyarrow.parquet, sys, tempfile

def loaded():
    return "rouge_score.rouge_scorer" in sys.modules

async def main():
    from nemo_local_evaluator.datasets.parquet_process import read_parquet_apart
    from nemo_local_evaluator.scoring import ScoringPool

    with tempfile.NamedTemporaryFile() as file:
        pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), file.name)
        assert len([*read_parquet_apart(file, "a.parquet")]) == 1
    pool = ScoringPool(workers=1)
    print(await pool.call(loaded))
    pool.close()

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_pool_that_starts_after_a_parquet_file_was_read_has_rouge(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=180)

    assert done.stdout.strip() == "True", done.stderr


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory with a short path: those of Unix sockets have 107 bytes at most."""
    with TemporaryDirectory(prefix="nemo-") as directory:
        yield Path(directory)


def test_a_server_that_is_terminated_leaves_no_temporary_files(tmp_path: Path, temporary: Path) -> None:
    command, port = Path(sysconfig.get_path("scripts")) / "nemo-local-evaluator", free_port()
    argv = [str(command), "serve", "--data", str(tmp_path / "data"), "--port", str(port)]
    answers = http_ready(f"http://127.0.0.1:{port}/health")
    with Processes() as processes:
        server = processes.start(
            Program(
                "evaluator",
                argv,
                env={"TMPDIR": str(temporary)},
                log=tmp_path / "log",
                # The directory of its worker processes.
                ready=lambda: answers() and any(temporary.iterdir()),
            )
        )

        server.terminate()

        assert server.wait(60) == 128 + signal.SIGTERM
    assert [*temporary.iterdir()] == []
