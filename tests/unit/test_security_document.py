"""docs/security.md names a test for each threat: each of them has to exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    row
    for row in (ROOT / "docs" / "security.md").read_text().splitlines()
    if row.startswith("| ") and not row.startswith("| attacker | attempt |")
]
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


def test_there_are_threats() -> None:
    assert len(ROWS) > 10


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[2].strip()[:50])
def test_every_threat_has_a_test_that_is_there(row: str) -> None:
    named = re.findall(r"`([^`]+)`", row.rsplit("|", 2)[1])
    assert named
    for name in named:
        assert re.search(rf"def {name}\(", TESTS) or (ROOT / name).is_file(), name
