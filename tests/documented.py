"""The tables of the documentation that say how objects read, for tests to hold against real ones."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


@dataclass(frozen=True)
class Documented:
    """One row of the table in docs/explanation/gitops.md."""

    phase: str | None
    conditions: dict[str, str]
    kstatus: str
    argocd: str


def _tables(page: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Each table with the heading above it."""
    heading, rows = "", list[list[str]]()
    for line in [*(DOCS / page).read_text().splitlines(), ""]:
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            yield heading, rows[2:]
            rows = []


def _conditions(cell: str) -> dict[str, str]:
    return dict(re.findall(r"`(\w+)=(True|False|Unknown)`", cell))


def _situations() -> Iterator[tuple[tuple[str, str], Documented]]:
    for heading, rows in _tables("explanation/gitops.md"):
        if heading.startswith("Nemo"):
            for situation, phase, conditions, kstatus, _flux, argocd in rows:
                said = Documented(phase.strip("`") or None, _conditions(conditions), kstatus, argocd)
                yield (heading, situation), said


SITUATIONS = dict(_situations())
"""By kind and situation."""


def conditions_to_kstatus() -> dict[frozenset[tuple[str, str]], str]:
    """The table in docs/architecture.md: what kstatus makes of each set of conditions."""
    (rows,) = (rows for heading, rows in _tables("architecture.md") if heading == "What status says")
    return {frozenset(_conditions(row[1]).items()): row[2] for row in rows if "," not in row[2]}
