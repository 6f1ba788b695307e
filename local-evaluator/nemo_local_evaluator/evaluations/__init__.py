"""Evaluations by the type a config names: one module for each family of types."""

from nemo_local_evaluator.evaluations.base import Evaluation, Observer, Outcome, Progress, Resources
from nemo_local_evaluator.evaluations.planner import Planner

__all__ = ["Evaluation", "Observer", "Outcome", "Planner", "Progress", "Resources"]
