"""Which NeMo Evaluator an object is about: what its spec chooses, and what its status remembers."""

from __future__ import annotations

from pydantic import Field

from nemo_eval_operator.resources.meta import DNS_LABEL, DNS_SUBDOMAIN, KubeModel


class EvaluatorRef(KubeModel):
    """A NemoEvaluatorConnection in this namespace, or in another one that allows this namespace."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        description="Name of a NemoEvaluatorConnection.",
    )
    namespace: str | None = Field(
        None,
        min_length=1,
        max_length=63,
        pattern=DNS_LABEL,
        description=(
            "Namespace of the connection, which has to list this object's namespace in "
            "spec.allowedNamespaces. Absent: the namespace of this object."
        ),
    )


class EvaluatorUsed(KubeModel):
    """The evaluator that an object is bound to."""

    url: str = Field(description="Base URL of the evaluator, without credentials.")
    connection: str | None = Field(
        None,
        description=(
            "The NemoEvaluatorConnection in use, as NAMESPACE/NAME; absent for the operator's own "
            "NVIDIA_EVALUATOR_URL."
        ),
    )
