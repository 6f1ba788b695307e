"""The commands that `make demo KEEP=1` ends with exist, and name runs of the samples."""

import shlex

from testbed.demo import NEXT
from testbed.demo_stack import SAMPLES
from tests.pages import PAGES, commands

RUNS = {
    word
    for path in SAMPLES.rglob("*.yaml")
    for word in path.read_text().replace(",", " ").replace("}", " ").split()
}


def test_each_command_is_explained_and_its_runs_are_applied() -> None:
    documented = {tuple(command.text.split()[:3]) for page in PAGES for command in commands(page)}
    for line in NEXT.strip().splitlines():
        words = shlex.split(line)
        assert tuple(words[:3]) in documented
        assert {word for word in words[3:] if not word.startswith("-")} <= RUNS
    assert "general-knowledge-one-word" in NEXT
