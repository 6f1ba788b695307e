"""Which NeMo Evaluator an object is about: what its spec chooses, and what its status remembers."""

from __future__ import annotations

from pydantic import Field

from nemo_eval_operator.resources.meta import DNS_LABEL, DNS_SUBDOMAIN, KubeModel


class EvaluatorRef(KubeModel):
    """A NemoEvaluatorConnection, in this namespace or in one whose connection allows this one."""

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
            "Namespace of the connection, whose spec.allowedNamespaces has to name this object's. "
            "Absent: this object's own."
        ),
    )


class EvaluatorUsed(KubeModel):
    """The evaluator that has what the status speaks of. Nothing is looked for at any other."""

    url: str = Field(description="Its base URL, without credentials.")
    connection: str | None = Field(
        None,
        description=(
            "The NemoEvaluatorConnection by which it is reached, as NAMESPACE/NAME; absent for the "
            "operator's own NVIDIA_EVALUATOR_URL."
        ),
    )
