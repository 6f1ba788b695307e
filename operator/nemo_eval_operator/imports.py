"""Imports of libraries without their parts that the operator never uses.

A pod that has only the 50m of CPU that the chart requests would spend half a minute on them at each start.
"""

from __future__ import annotations

import importlib
import sys

__all__ = ["hide", "import_without"]


def hide(part: str) -> None:
    """Make later imports of `part` fail as if it were not installed; nothing where it is imported already."""
    # Documented: None here makes an import raise ModuleNotFoundError.
    sys.modules.setdefault(part, None)  # type: ignore[arg-type]


def import_without(library: str, *, part: str) -> None:
    """Import `library` as if `part`, which it takes where it is installed, were not installed.

    `part` can be imported as usual afterwards. Nothing happens where either is imported already.
    """
    if library in sys.modules or part in sys.modules:
        return
    hide(part)
    try:
        importlib.import_module(library)
    finally:
        del sys.modules[part]
