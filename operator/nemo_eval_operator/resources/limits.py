"""How large one object may be. The authors of objects decide what the operator has to read.

The API server takes objects of up to 1.5 MB, and `[],` takes 20 times its size in memory when it is parsed.
The limits hold for each object and are far above what evaluations need.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_PARTS", "MAX_SPEC_BYTES"]

MAX_PARTS: Final = 10_000
"""JSON values in one spec: objects, lists and scalars, counted recursively; and as many in metadata."""

MAX_SPEC_BYTES: Final = 256 * 1024
"""Of one spec as compact JSON."""
