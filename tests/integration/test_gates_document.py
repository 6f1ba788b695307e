"""The example in docs/gates.md: its commands are run, and print what the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_prints_what_the_page_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "gates.md").read_text()
    (block,) = re.findall(
        r"^```console\n(\$ nemo-local-evaluator run .*?)^```", page, re.MULTILINE | re.DOTALL
    )
    evaluate, policy, judge = re.findall(r"^\$ (.*?)\n(?=\$ |\Z)", block, re.MULTILINE | re.DOTALL)
    samples = ROOT / "deploy" / "samples"
    programs = Path(sys.executable).parent
    (tmp_path / "gate.yaml").write_text(policy.removeprefix("cat gate.yaml\n"))

    def run(command: str) -> subprocess.CompletedProcess[str]:
        words = command.replace("\\\n", " ").replace("deploy/samples", str(samples)).split()
        return subprocess.run(
            [programs / words[0], *words[1:]],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=120,
        )

    evaluated = run(evaluate)
    assert evaluated.returncode == 0, evaluated.stderr
    command, _, expected = judge.partition("\n")
    judged = run(command)
    assert judged.returncode == 2
    assert judged.stdout.strip() == expected.strip()
