"""Gates: whether a run is good enough, by thresholds and by comparison with an earlier run.

Pure: `evidence` reads a results document, `policy` the rules, `judging` applies one to the other, and
`reporting` prints the verdict.
"""

from .evidence import Evidence, evidence_of
from .judging import CriterionResult, Judgement, Result, judge
from .policy import Gate, PolicyInvalid, gate_of
from .reporting import as_json, as_markdown, as_text

__all__ = [
    "CriterionResult",
    "Evidence",
    "Gate",
    "Judgement",
    "PolicyInvalid",
    "Result",
    "as_json",
    "as_markdown",
    "as_text",
    "evidence_of",
    "gate_of",
    "judge",
]
