"""Names and keys of the ConfigMaps that keep evidence: of a run, and of the baseline it was judged by."""

from __future__ import annotations

import hashlib
from typing import Final

from nemo_eval_operator.resources import BaselineUsed, NemoEvalJob

from .results import shortened

__all__ = ["HEADER_KEY", "ITEMS_KEY", "baseline_names", "evidence_names"]

HEADER_KEY: Final = "evidence.json"
"""Key of the sums of all scores."""

ITEMS_KEY: Final = "items.zlib"
"""Key of the items' scores, in binaryData."""


def evidence_names(job: NemoEvalJob, *, digest: str) -> tuple[str, ...]:
    """Return names for the run's own evidence, in the order in which they are tried."""
    number = "" if (job.status.attempt or 1) == 1 else f"-{job.status.attempt}"
    parts = ("", f"-{job.metadata.uid[:8]}", f"-{job.metadata.uid[:8]}-{_short(digest)}")
    return tuple(shortened(job.metadata.name, f"{part}{number}-evidence") for part in parts)


def baseline_names(job: NemoEvalJob, baseline: BaselineUsed, *, digest: str) -> tuple[str, ...]:
    """Return names for the copy of a baseline's evidence."""
    of = hashlib.sha256(f"{baseline.uid} {baseline.attempt}".encode()).hexdigest()[:8]
    parts = (f"-{of}", f"-{of}-{job.metadata.uid[:8]}-{_short(digest)}")
    return tuple(shortened(job.metadata.name, f"{part}-baseline") for part in parts)


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:16]
