"""One evaluation without a server, as `nemo-local-evaluator run` makes it: no HTTP, no database."""

from .evaluate import Assignment, evaluate_once
from .gate import UNREADABLE, Gate, NotJudged
from .input_documents import run_documents
from .reports import Report, target_shown
from .table import results_json, scores_table

__all__ = [
    "UNREADABLE",
    "Assignment",
    "Gate",
    "NotJudged",
    "Report",
    "evaluate_once",
    "results_json",
    "run_documents",
    "scores_table",
    "target_shown",
]
