"""Planning of an evaluation from a job's documents. Nothing in a template is compiled or run here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from nemo_local_evaluator.settings import RegisteredModel
from nemo_local_evaluator.wire.schemas import ConfigInput, TargetInput

from . import academic, agentic, custom, retrieval, similarity
from .base import Evaluation, Resources
from .endpoints import Endpoints
from .unused import refuse_other_targets, refuse_unknown_fields

__all__ = ["Planner"]


class _Family(Protocol):
    def __call__(
        self, config: ConfigInput, target: TargetInput, *, endpoints: Endpoints, resources: Resources
    ) -> Evaluation: ...


_FAMILIES: Final[Mapping[str, _Family]] = {
    "agentic": agentic.plan,
    "custom": custom.plan,
    "rag": retrieval.plan,
    "retriever": retrieval.plan,
    "similarity_metrics": similarity.plan,
}


class Planner:
    def __init__(self, *, models: Mapping[str, RegisteredModel], resources: Resources) -> None:
        self._endpoints = Endpoints(models)
        self._resources = resources
        self.secrets = [model.api_key for model in models.values() if model.api_key]
        """Keys of the registry, which no caller is to see, whatever an endpoint repeats."""

    def plan(self, config_document: Mapping[str, Any], target_document: Mapping[str, Any]) -> Evaluation:
        """Return a job's evaluation. Raise EvaluationError; Unsupported for a feature of NeMo only."""
        config = ConfigInput.model_validate(config_document)
        target = TargetInput.model_validate(target_document)
        refuse_unknown_fields(config, target)
        refuse_other_targets(target)
        # Any other type is the name of a task of lm-eval's, which alone knows them all.
        family = _FAMILIES.get(config.type, academic.plan)
        return family(config, target, endpoints=self._endpoints, resources=self._resources)
