"""What keeps a node from starting is found before a test needs it, and names what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.node.cgroups import CONTROLLERS
from testbed.node.layout import HIDDEN
from testbed.node.obstacles import hidden_path, missing_hierarchies


def test_each_missing_hierarchy_is_named(tmp_path: Path) -> None:
    for name in CONTROLLERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    assert missing_hierarchies(tmp_path) == []

    (tmp_path / "systemd" / "cgroup.procs").unlink()

    assert missing_hierarchies(tmp_path) == [tmp_path / "systemd"]


@pytest.mark.parametrize("directory", HIDDEN)
def test_a_checkout_where_the_node_has_an_empty_directory_is_refused(directory: str) -> None:
    checkout = Path(directory, "jenkins", "workspace")

    assert hidden_path([Path("/home/dev"), checkout]) == checkout


def test_a_link_into_such_a_directory_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "checkout"
    link.symlink_to("/var/lib/jenkins")

    assert hidden_path([link]) == link


def test_other_places_are_seen_inside() -> None:
    assert hidden_path([Path("/home/dev"), Path("/running"), Path("/var/library")]) is None
