"""The evaluation config: what to run, with which parameters, and what to measure.

Field names and meanings are NeMo Evaluator's (`/v1/evaluation/configs`); fields that only the server
writes (id, created_at, version_id, ...) are not here. The descriptions become `kubectl explain`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nemo_eval_operator.nemo.base import FreeFormModel, NemoModel, OpenModel
from nemo_eval_operator.nemo.entities import Dataset, Entity, Name, Url

# Not `float`: what was written as 0 is sent as 0, not as 0.0.
NotNegative = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0)]
Probability = Annotated[int, Field(ge=0, le=1)] | Annotated[float, Field(ge=0, le=1)]
StopText = Annotated[str, Field(min_length=1)]


class JudgeEndpoint(OpenModel):
    """Endpoint of a judge model."""

    url: Url | None = Field(None, description="URL of the endpoint, with its path.")
    model_id: Name | None = Field(None, description="Name of the judge model at the endpoint.")
    api_key: str | None = Field(
        None,
        description=(
            "API key of the endpoint. Use valuesFrom to read it from a Secret instead of writing it here."
        ),
    )


class Judge(FreeFormModel):
    """A model that judges answers, described in place."""

    api_endpoint: JudgeEndpoint | None = Field(None, description="Endpoint of the judge model.")


class FreeFormParams(FreeFormModel):
    """Free-form parameters, of which NVIDIA's schema reference names these."""

    hf_token: str | None = Field(
        None,
        description=(
            "Hugging Face token for gated datasets and tokenizers. Use valuesFrom to read it from a "
            "Secret instead of writing it here."
        ),
    )
    judge_llm: Name | Judge | None = Field(
        None,
        description=(
            "Model that judges the answers: its name in NeMo, or {api_endpoint: {url, model_id, api_key}}."
        ),
    )


class Metric(NemoModel):
    """A metric of a task or group."""

    type: Name = Field(
        description=(
            'Type of the metric: e.g. "accuracy", "bleu", "rouge", "em", "f1", "string-check", '
            '"number-check", "tool-calling", "llm-judge".'
        )
    )
    params: FreeFormParams | None = Field(
        None,
        description=(
            'Parameters of the metric, free-form; e.g. for bleu {"references": '
            '["{{item.ideal_response}}"]}. Jinja templates can use {{item.COLUMN}} (a row of the '
            "dataset) and {{sample.output_text}} (the answer of the model)."
        ),
    )


class Task(NemoModel):
    """One task of an evaluation: the prompts, the data, the metrics."""

    type: Name = Field(
        description=(
            'Type of the task, depending on config.type: e.g. "chat-completion", "completion" or "data" '
            'for custom, "beir" for retriever, "simple" for bfclv3, "tool_call_accuracy" for agentic.'
        )
    )
    params: FreeFormParams | None = Field(
        None,
        description=(
            'Parameters of the task, free-form. For custom tasks they contain the prompt: {"template": '
            '{"messages": [{"role": "user", "content": "{{item.question}}"}], "max_tokens": 200}}.'
        ),
    )
    dataset: Name | Dataset | None = Field(
        None,
        description=(
            'Dataset of the task: {"files_url": "hf://datasets/..."}, or the "NAMESPACE/NAME" of a '
            "dataset that is registered in NeMo. Absent: the built-in dataset of the task."
        ),
    )
    metrics: dict[str, Metric] | None = Field(
        None,
        max_length=256,
        description=(
            "Metrics of this task, keyed by a name of your choice; scores are reported under that name."
        ),
    )


class Group(OpenModel):
    """A group of tasks whose scores are also reported together."""

    # Open: groups nest, and a CRD's schema of them ends at some depth, below which nothing is pruned.

    tasks: list[Name] | None = Field(
        None, max_length=1024, description="Names of the tasks of this config that belong to the group."
    )
    metrics: dict[str, Metric] | None = Field(
        None, max_length=256, description="Metrics of the group, keyed by a name of your choice."
    )
    groups: dict[str, Group] | None = Field(
        None, max_length=256, description="Groups within this group, keyed by name."
    )


class SamplingParams(NemoModel):
    """Sampling parameters of the evaluated model."""

    temperature: NotNegative | None = Field(
        None,
        description=(
            "Sampling temperature; lower values are more deterministic. NeMo accepts 0 to 1, and some "
            "evaluation types reject exactly 0: use 0.00001 for greedy decoding. Absent: the default of "
            "the evaluation type."
        ),
    )
    top_p: Probability | None = Field(
        None,
        description=(
            "Nucleus sampling: only the most likely tokens with this total probability are considered, "
            "from 0 to 1. Absent: the default of the evaluation type."
        ),
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        description=("Maximum number of tokens of one answer. Absent: the default of the evaluation type."),
    )
    stop: StopText | list[StopText] | None = Field(
        None,
        description='Text at which generation stops: one string, or a list of up to 4, e.g. ["<|eot|>"].',
    )


class Params(SamplingParams, OpenModel):
    """Parameters of the whole evaluation."""

    parallelism: int | None = Field(
        None,
        ge=1,
        description=(
            "Maximum number of concurrent requests to the model. Absent: NeMo's default, which depends "
            "on the evaluation type."
        ),
    )
    request_timeout: int | None = Field(
        None,
        ge=1,
        description=(
            "Time-out of one request to the model. NVIDIA's documentation does not state the unit for "
            "every release: check yours before setting it. Absent: the default of the evaluation type."
        ),
    )
    max_retries: int | None = Field(
        None, ge=0, description="Maximum number of retries of a failed request to the model."
    )
    limit_samples: int | None = Field(
        None,
        ge=1,
        description=(
            "Maximum number of samples to evaluate, for a quick trial. NeMo reports progress in percent "
            "only if this (or the limit of a dataset) is set."
        ),
    )
    extra: FreeFormParams | None = Field(
        None,
        description=(
            'Additional parameters of the evaluation type, free-form: e.g. {"num_fewshot": 8, '
            '"tokenizer": "meta-llama/Llama-3.1-8B-Instruct"}. Use valuesFrom to read tokens from '
            "Secrets instead of writing them here."
        ),
    )


class EvaluationConfig(Entity):
    """An evaluation config of NeMo Evaluator."""

    type: Name = Field(
        description=(
            'Evaluation type: an academic benchmark such as "gsm8k", "mmlu", "ifeval", "humaneval", '
            '"bfclv3", or "custom", "similarity_metrics", "agentic", "retriever", "rag". Every type that '
            "the evaluator supports is allowed."
        )
    )
    params: Params | None = Field(None, description="Parameters of the whole evaluation.")
    tasks: dict[str, Task] | None = Field(
        None,
        max_length=1024,
        description=(
            "Tasks, keyed by a name of your choice. Academic benchmarks have built-in tasks and need none."
        ),
    )
    groups: dict[str, Group] | None = Field(
        None,
        max_length=256,
        description="Groups of tasks whose scores are also reported together, keyed by name.",
    )
