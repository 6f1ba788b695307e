"""Gates: whether a run is good enough, by thresholds and by comparison with an earlier run.

Pure: `evidence` and `samples` read a results document, `packing` keeps what they found, `policy` reads the
rules, `judging` applies one to the other, `reasons` are those of criteria that it cannot decide, and
`reporting` prints the verdict.
"""

from .archives import ARCHIVE_ERRORS, COMPRESSIONS, has_few_entries, samples_in
from .comparing import Comparison, Pairing, compare, interval_of
from .evidence import Evidence, ScoreEvidence, evidence_of
from .judging import CriterionResult, Judgement, NoBaseline, Result, judge, not_judged
from .packing import EvidenceUnreadable, Packed, pack, unpack
from .policy import Gate, PolicyInvalid, gate_of, gate_of_spec
from .reasons import CriterionReason
from .reporting import as_json, as_markdown, as_text, markdown_cell
from .samples import ItemKeys, SampleScores
from .statistics import Interval

__all__ = [
    "ARCHIVE_ERRORS",
    "COMPRESSIONS",
    "Comparison",
    "CriterionReason",
    "CriterionResult",
    "Evidence",
    "EvidenceUnreadable",
    "Gate",
    "Interval",
    "ItemKeys",
    "Judgement",
    "NoBaseline",
    "Packed",
    "Pairing",
    "PolicyInvalid",
    "Result",
    "SampleScores",
    "ScoreEvidence",
    "as_json",
    "as_markdown",
    "as_text",
    "compare",
    "evidence_of",
    "gate_of",
    "gate_of_spec",
    "has_few_entries",
    "interval_of",
    "judge",
    "markdown_cell",
    "not_judged",
    "pack",
    "samples_in",
    "unpack",
]
