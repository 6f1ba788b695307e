"""`kubectl nemoeval logs`: the evaluator's log of a remote job.

`archive` reads the archive that the evaluator answers with, `way` finds the evaluator and the credentials
that the user may read, and `showing` prints, once or as the log grows.
"""

from .showing import show_log

__all__ = ["show_log"]
