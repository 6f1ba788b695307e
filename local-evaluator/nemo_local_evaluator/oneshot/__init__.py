"""One evaluation without a server, as `nemo-local-evaluator run` makes it: no HTTP, no database."""

from nemo_local_evaluator.oneshot.evaluate import Assignment, evaluate_once
from nemo_local_evaluator.oneshot.input_documents import run_documents
from nemo_local_evaluator.oneshot.reports import Report, target_shown
from nemo_local_evaluator.oneshot.table import scores_table

__all__ = ["Assignment", "Report", "evaluate_once", "run_documents", "scores_table", "target_shown"]
