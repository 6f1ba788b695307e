"""Evaluations by the type a config names: one module for each family of types."""

from .base import Evaluation, Observer, Outcome, Progress, Resources
from .planner import Planner

__all__ = ["Evaluation", "Observer", "Outcome", "Planner", "Progress", "Resources"]
