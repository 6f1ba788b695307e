"""Baseline of a gate: the run that a job is compared with, by name or by selector."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from nemo_eval_operator.resources.meta import DNS_SUBDOMAIN, KubeModel
from nemo_eval_operator.resources.rules import exactly_one, rule, validations

__all__ = ["BaselineJob", "GateBaseline", "JobSelector", "SelectorRequirement"]


class BaselineJob(KubeModel):
    """Reference to the NemoEvalJob to compare with."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "!has(self.__namespace__)",
                "a baseline is a NemoEvalJob in this job's namespace: remove namespace",
            )
        )
    )

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        description=(
            "Name of a NemoEvalJob in this namespace. While it is running, the verdict is Pending "
            "(reason WaitingForBaseline), at most until activeDeadlineSeconds of this job have passed."
        ),
    )
    namespace: str | None = Field(
        None,
        max_length=63,
        description="Not accepted: the baseline has to be in the namespace of this object.",
    )


class SelectorRequirement(KubeModel):
    """One requirement on a label, as in metav1.LabelSelector."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
                "operators In and NotIn need values; Exists and DoesNotExist take none",
            )
        )
    )

    key: str = Field(
        min_length=1,
        max_length=317,
        pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./]*$",
        description="Key of the label.",
    )
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="Relation between the label and values: In, NotIn, Exists or DoesNotExist."
    )
    values: list[Annotated[str, Field(max_length=63, pattern=r"^[-A-Za-z0-9_.]*$")]] | None = Field(
        None,
        max_length=20,
        description="Values of the label, for In and NotIn.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class JobSelector(KubeModel):
    """Labels of NemoEvalJobs, as in metav1.LabelSelector."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "(has(self.matchLabels) && size(self.matchLabels) > 0)"
                " || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",
                "an empty selector would match every job: set matchLabels or matchExpressions",
            )
        )
    )

    match_labels: dict[str, Annotated[str, Field(max_length=63, pattern=r"^[-A-Za-z0-9_.]*$")]] | None = (
        Field(None, max_length=20, description="Labels with these values that the job must have.")
    )
    match_expressions: list[SelectorRequirement] | None = Field(
        None,
        max_length=20,
        description="Requirements on the labels; a job must meet all of them.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class GateBaseline(KubeModel):
    """The run that this one is compared with."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            exactly_one(
                "jobRef",
                "selector",
                (
                    "set exactly one of baseline.jobRef (a job by name) and baseline.selector (the newest "
                    "job with certain labels)"
                ),
            ),
            rule(
                "!has(self.passed) || has(self.selector)",
                (
                    "baseline.passed applies to baseline.selector only: remove it, since the job of jobRef "
                    "is used in any case"
                ),
            ),
        )
    )

    job_ref: BaselineJob | None = Field(
        None, description="A NemoEvalJob by name. Exactly one of jobRef and selector is required."
    )
    selector: JobSelector | None = Field(
        None,
        description=(
            "Selects the newest completed NemoEvalJob of this namespace with these labels that measured "
            "the same benchmark and completed before this one. Jobs that completed in the same second "
            "are ambiguous."
        ),
    )
    passed: bool = Field(
        True,
        description=(
            "If true, the selector considers only jobs whose own gate passed; if false, every completed job."
        ),
    )
