"""NeMo Evaluator's own words: the evaluation config and target, as one writes them in a request.

The lowest room of the operator. It knows the schemas that NVIDIA documents and nothing of Kubernetes, HTTP
or the operator; resources embed these models in their specs, the REST client sends them.
"""

from nemo_eval_operator.nemo.base import NemoModel, OpenModel
from nemo_eval_operator.nemo.config import (
    EvaluationConfig,
    Group,
    Metric,
    Params,
    SamplingParams,
    Task,
)
from nemo_eval_operator.nemo.entities import ConfigMapKeyRef, Dataset, Ownership
from nemo_eval_operator.nemo.target import (
    ApiEndpoint,
    CachedOutputs,
    EvaluationTarget,
    Model,
    Rag,
    RagPipeline,
    Retriever,
    RetrieverPipeline,
    TargetType,
)

__all__ = [
    "ApiEndpoint",
    "CachedOutputs",
    "ConfigMapKeyRef",
    "Dataset",
    "EvaluationConfig",
    "EvaluationTarget",
    "Group",
    "Metric",
    "Model",
    "NemoModel",
    "OpenModel",
    "Ownership",
    "Params",
    "Rag",
    "RagPipeline",
    "Retriever",
    "RetrieverPipeline",
    "SamplingParams",
    "TargetType",
    "Task",
]
