"""Reference pages in docs/reference, generated from the code that they describe.

`python -m testbed.reference` writes them, as `make generate` does, and a test fails when one is stale.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from testbed.reference.command_line import command_line_page
from testbed.reference.conditions import conditions_page
from testbed.reference.kinds import kind_pages
from testbed.reference.metrics import metrics_page
from testbed.reference.settings import settings_page

__all__ = ["DIRECTORY", "reference_pages"]

DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "reference"
"""Where the pages are kept."""


def reference_pages() -> Mapping[str, str]:
    """Return the text of each generated page by its file name."""
    return {
        **kind_pages(),
        "cli.md": command_line_page(),
        "conditions.md": conditions_page(),
        "metrics.md": metrics_page(),
        "settings.md": settings_page(),
    }
