"""Decisions about a NemoEvaluatorConnection, and which connection an object uses."""

from .deletion import Hold, Needs, hold_of, needs_of
from .selection import (
    connection_name,
    defaults_among,
    is_bound,
    mismatch,
    moved,
    not_allowed,
    not_found,
    referred_connection,
    terminating,
    unreadable,
)

__all__ = [
    "Hold",
    "Needs",
    "connection_name",
    "defaults_among",
    "hold_of",
    "is_bound",
    "mismatch",
    "moved",
    "needs_of",
    "not_allowed",
    "not_found",
    "referred_connection",
    "terminating",
    "unreadable",
]
