"""The kinds of the API group, one module each; their CRDs (`crds/`) are generated from these models.

A model carries everything about its kind that a user meets: fields, descriptions (`kubectl explain`),
limits, CEL rules and the columns of `kubectl get`.
"""

from nemo_eval_operator.nemo import SamplingParams
from nemo_eval_operator.resources.access import KeyRef
from nemo_eval_operator.resources.benchmark import (
    BenchmarkDeletionPolicy,
    BenchmarkSpec,
    BenchmarkStatus,
    NemoBenchmark,
)
from nemo_eval_operator.resources.connection import (
    ANY_NAMESPACE,
    ConnectionSpec,
    ConnectionStatus,
    NemoEvaluatorConnection,
)
from nemo_eval_operator.resources.evaljob import NemoEvalJob
from nemo_eval_operator.resources.evaljob_spec import BenchmarkRef, EvalJobSpec, JobDeletionPolicy
from nemo_eval_operator.resources.evaljob_status import (
    AttemptRecord,
    EvalJobStatus,
    EvidenceRef,
    MeasuredConfig,
    Phase,
    Progress,
    ResultsRef,
    Score,
    Submission,
)
from nemo_eval_operator.resources.evaluator import EvaluatorRef, EvaluatorUsed
from nemo_eval_operator.resources.gate import MAX_CRITERIA, Direction, GateCriterion, GateSpec, Tier
from nemo_eval_operator.resources.gate_baseline import BaselineJob, GateBaseline, JobSelector
from nemo_eval_operator.resources.gate_status import BaselineUsed, CriterionStatus, GateStatus, GateVerdict
from nemo_eval_operator.resources.limits import MAX_PARTS, MAX_SPEC_BYTES
from nemo_eval_operator.resources.meta import API_VERSION, GROUP, VERSION, Condition, KubeModel, ObjectMeta
from nemo_eval_operator.resources.rules import CONFIG_NAME
from nemo_eval_operator.resources.selector import BadSelector, LabelSelector
from nemo_eval_operator.resources.values import ConfigMapVersion, SecretKeyRef, SecretVersion, ValueFrom

BENCHMARK_PLURAL = NemoBenchmark.PLURAL
CONNECTION_PLURAL = NemoEvaluatorConnection.PLURAL
EVALJOB_PLURAL = NemoEvalJob.PLURAL

__all__ = [
    "ANY_NAMESPACE",
    "API_VERSION",
    "BENCHMARK_PLURAL",
    "CONFIG_NAME",
    "CONNECTION_PLURAL",
    "EVALJOB_PLURAL",
    "GROUP",
    "MAX_CRITERIA",
    "MAX_PARTS",
    "MAX_SPEC_BYTES",
    "VERSION",
    "AttemptRecord",
    "BadSelector",
    "BaselineJob",
    "BaselineUsed",
    "BenchmarkDeletionPolicy",
    "BenchmarkRef",
    "BenchmarkSpec",
    "BenchmarkStatus",
    "Condition",
    "ConfigMapVersion",
    "ConnectionSpec",
    "ConnectionStatus",
    "CriterionStatus",
    "Direction",
    "EvalJobSpec",
    "EvalJobStatus",
    "EvaluatorRef",
    "EvaluatorUsed",
    "EvidenceRef",
    "GateBaseline",
    "GateCriterion",
    "GateSpec",
    "GateStatus",
    "GateVerdict",
    "JobDeletionPolicy",
    "JobSelector",
    "KeyRef",
    "KubeModel",
    "LabelSelector",
    "MeasuredConfig",
    "NemoBenchmark",
    "NemoEvalJob",
    "NemoEvaluatorConnection",
    "ObjectMeta",
    "Phase",
    "Progress",
    "ResultsRef",
    "SamplingParams",
    "Score",
    "SecretKeyRef",
    "SecretVersion",
    "Submission",
    "Tier",
    "ValueFrom",
]
