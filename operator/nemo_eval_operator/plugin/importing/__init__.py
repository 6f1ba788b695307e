"""`kubectl nemoeval import`: manifests of what other programs configure. Pure, from a document to manifests.

`mapping` validates and makes sure that nothing is lost, `forms` recognizes a document, and `launcher` reads
configs of NeMo Evaluator Launcher.
"""

from .forms import Imported, imported
from .mapping import ImportRefused

__all__ = ["ImportRefused", "Imported", "imported"]
