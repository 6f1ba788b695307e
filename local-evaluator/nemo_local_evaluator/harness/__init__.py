"""EleutherAI's lm-eval as a child process: its request, its run, and the scores that it returns."""

from .child import Request
from .process import SILENCE, Harness, HarnessRun
from .ranked_scores import ranked_scores
from .request import NEMO_TYPES, extra_of, request_of

__all__ = [
    "NEMO_TYPES",
    "SILENCE",
    "Harness",
    "HarnessRun",
    "Request",
    "extra_of",
    "ranked_scores",
    "request_of",
]
