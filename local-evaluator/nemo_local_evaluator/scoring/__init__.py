"""Templates, metrics and parsers, run in separate processes.

Configs are untrusted: a template may loop, a pattern may backtrack without end, a filter may
ask for all memory. In a worker each sample has a time, each worker a memory, and what exceeds
either costs that sample and nothing else. The server's own process never compiles or runs any of it.
"""

from .limits import STEP_SECONDS
from .pool import ScoringPool
from .work import (
    MetricSpec,
    PromptSpec,
    SampleScores,
    check,
    parse_judgement,
    render_prompt,
    score_samples,
)

__all__ = [
    "STEP_SECONDS",
    "MetricSpec",
    "PromptSpec",
    "SampleScores",
    "ScoringPool",
    "check",
    "parse_judgement",
    "render_prompt",
    "score_samples",
]
