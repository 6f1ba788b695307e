"""Which Helm is good enough to be used instead of building one."""

from pathlib import Path

import pytest

from testbed.helm import is_recent


@pytest.mark.parametrize(
    ("says", "recent"),
    [
        ("v3.17.0", True),
        ("v3.22.1-rc.1", True),
        ("v3.16.4", False),
        ("v2.17.0", False),
        ("v4.1.0", False),
        ("unknown", False),
    ],
)
def test_a_helm_three_that_takes_ownership(says: str, recent: bool, tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text(f"#!/bin/sh\necho {says}\n")
    program.chmod(0o755)

    assert is_recent(str(program)) is recent
