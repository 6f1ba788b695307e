"""Ways in which a real NeMo Evaluator may differ from this server, each to be switched on by name.

No public text says what that service does in these places. The default is the most natural behaviour; a
client that is tested against every quirk is ready for any of them. They are listed in
docs/reference/local-evaluator-api.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import combinations
from typing import Final

from .errors import ContradictingQuirks

__all__ = ["Quirk", "checked"]


class Quirk(StrEnum):
    FILTERS_IGNORED = "filters-ignored"
    """Lists answer with everything, whatever the filter."""
    UNDOCUMENTED_FILTERS_IGNORED = "undocumented-filters-ignored"
    """Job lists ignore filters that NVIDIA does not document. Documented: namespace, status, created_at,
    target and config.
    """
    SORT_IGNORED = "sort-ignored"
    """Lists are in their default order, whatever `sort` says."""
    OLDEST_FIRST = "oldest-first"
    """Lists without `sort` begin with the oldest."""
    PAGE_SIZE_CAPPED = "page-size-capped"
    """Pages have at most 10 items, and report that page size, whatever the request says."""

    CREATE_200 = "create-200"
    """Create requests are answered with 200."""
    DUPLICATE_400 = "duplicate-400"
    """A taken name is answered with 400."""
    DUPLICATE_422 = "duplicate-422"
    """A taken name is answered with 422 and a text."""
    LAUNCH_REFUSED_422 = "launch-refused-422"
    """A job that cannot be launched is answered with 422 and a text."""
    PATCH_405 = "patch-405"
    """PATCH is not allowed, as in release 25.4."""

    CANCEL_404 = "cancel-404"
    """Cancel does not exist, as in release 25.4; the path is unknown."""
    CANCEL_405 = "cancel-405"
    """Cancel does not exist; the method is not allowed."""
    CANCEL_501 = "cancel-501"
    """Cancel is not implemented."""
    CANCEL_204 = "cancel-204"
    """Cancel works, and its response has no body."""
    CANCEL_EMPTY = "cancel-empty"
    """Cancel works, and its response is an empty object."""
    CANCEL_FINISHED_409 = "cancel-finished-409"
    """Cancel of a job that has finished is a conflict."""

    RESULTS_FROM_THE_START = "results-from-the-start"
    """A job has results, without tasks, as soon as it is created; they are filled when it completes."""
    DELETE_JOB_204 = "delete-job-204"
    """The response to deleting a job has no body."""
    DELETE_JOB_GOES_ON = "delete-job-goes-on"
    """Deleting a job does not stop it: it runs on unlisted, model calls included."""
    DELETE_IN_USE_ALLOWED = "delete-in-use-allowed"
    """A config or target can be deleted while jobs use it."""
    DELETE_USED_REFUSED = "delete-used-refused"
    """A config or target cannot be deleted before every job that used it is deleted, finished or not."""


_ALTERNATIVES: Final = (
    {Quirk.FILTERS_IGNORED, Quirk.UNDOCUMENTED_FILTERS_IGNORED},
    {Quirk.DUPLICATE_400, Quirk.DUPLICATE_422},
    {Quirk.CANCEL_404, Quirk.CANCEL_405, Quirk.CANCEL_501, Quirk.CANCEL_204, Quirk.CANCEL_EMPTY},
    {Quirk.CANCEL_404, Quirk.CANCEL_FINISHED_409},
    {Quirk.CANCEL_405, Quirk.CANCEL_FINISHED_409},
    {Quirk.CANCEL_501, Quirk.CANCEL_FINISHED_409},
    {Quirk.DELETE_IN_USE_ALLOWED, Quirk.DELETE_USED_REFUSED},
)
"""Of each set, at most one."""


def checked(quirks: Iterable[Quirk]) -> frozenset[Quirk]:
    """Raises ContradictingQuirks."""
    chosen = frozenset(quirks)
    for one, other in combinations(sorted(chosen), 2):
        if any({one, other} <= alternatives for alternatives in _ALTERNATIVES):
            raise ContradictingQuirks(f"{one.value} and {other.value} contradict each other")
    return chosen
