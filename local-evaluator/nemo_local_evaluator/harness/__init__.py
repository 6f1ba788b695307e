"""EleutherAI's lm-eval as a child process: what it is asked, how it is run, what becomes of its scores."""

from nemo_local_evaluator.harness.child import Request
from nemo_local_evaluator.harness.process import SILENCE, Harness, HarnessRun
from nemo_local_evaluator.harness.ranked_scores import ranked_scores
from nemo_local_evaluator.harness.request import NEMO_TYPES, extra_of, request_of

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
