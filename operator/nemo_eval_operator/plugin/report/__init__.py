"""Reports of runs as one HTML file, as Markdown and as JSON.

`reading` fetches the documents, `building` makes the `model` of them, and `html`, `markdown` and the model's
own JSON print it. All but `reading` is pure, and whatever an object, an evaluator or a model wrote is cut and
cleaned before it enters the report.
"""

from .building import build_report
from .html import ReportNeedsExtra, as_html
from .items import Worst, samples_by_key, worst_of
from .markdown import as_markdown
from .model import Change, Comparison, Flip, Flips, Item, Report, Run
from .reading import Documents, RunDocuments, read_documents
from .scores import rules_of, worst_first

__all__ = [
    "Change",
    "Comparison",
    "Documents",
    "Flip",
    "Flips",
    "Item",
    "Report",
    "ReportNeedsExtra",
    "Run",
    "RunDocuments",
    "Worst",
    "as_html",
    "as_markdown",
    "build_report",
    "read_documents",
    "rules_of",
    "samples_by_key",
    "worst_first",
    "worst_of",
]
