"""Worker processes have imported what takes long, whichever of them was the first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
