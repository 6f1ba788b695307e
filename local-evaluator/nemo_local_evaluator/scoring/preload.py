"""What all workers have imported already, as they are forked from a process that has imported this."""

from __future__ import annotations

import sys
from importlib import import_module

import_module("nemo_local_evaluator.scoring.work")
# ROUGE brings nltk, which imports scipy where that is installed: seconds, for statistics that are not used.
sys.modules["scipy"] = None  # type: ignore[assignment]
try:
    import_module("rouge_score.rouge_scorer")
finally:
    del sys.modules["scipy"]
