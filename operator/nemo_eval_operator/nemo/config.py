"""The evaluation config: what to run, with which parameters, and what to measure.

Field names and meanings are NeMo Evaluator's (`/v1/evaluation/configs`); fields that only the server
writes (id, created_at, version_id, ...) are not here. The descriptions become `kubectl explain`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.nemo.base import ONE_REQUIRED, FreeFormModel, NemoModel, OpenModel

Name = Annotated[str, Field(min_length=1, max_length=512)]
Text = Annotated[str, Field(max_length=4096)]
# Not `float`: what was written as 0 is sent as 0, not as 0.0.
NotNegative = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0)]
Probability = Annotated[int, Field(ge=0, le=1)] | Annotated[float, Field(ge=0, le=1)]
StopText = Annotated[str, Field(min_length=1)]
Url = Annotated[str, Field(min_length=1, max_length=4096)]


class Ownership(NemoModel):
    """Who owns an entity in NeMo, and who may use it."""

    created_by: Name | None = Field(None, description="Id of the user who created the entity.")
    updated_by: Name | None = Field(None, description="Id of the user who last changed the entity.")
    access_policies: dict[str, Text] | None = Field(
        None,
        max_length=256,
        description="Access policies by name, for the external service that decides who may use the entity.",
    )


class Entity(NemoModel):
    """Fields of every named object in NeMo's entity store."""

    name: Name | None = Field(
        None,
        description=(
            "Name of the entity in NeMo, unique within its namespace. Absent: the operator chooses one."
        ),
    )
    namespace: Name | None = Field(
        None,
        description='Namespace of the entity in NeMo (not in Kubernetes). NeMo\'s own default is "default".',
    )
    description: Text | None = Field(None, description="Description of the entity.")
    project: Name | None = Field(None, description="URN of the NeMo project that the entity belongs to.")
    custom_fields: JsonObject | None = Field(
        None,
        max_length=256,
        description=(
            'Additional fields, which NeMo stores and returns unchanged, e.g. {"team": "search"}. String '
            "values work with every release."
        ),
    )
    ownership: Ownership | None = Field(None, description="Who owns the entity, and who may use it.")


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


class ConfigMapKeyRef(NemoModel):
    """One key of a ConfigMap in the namespace of the object."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        description="Name of a ConfigMap in the namespace of this object.",
    )
    key: str = Field(
        min_length=1,
        max_length=253,
        description=(
            "Key within the ConfigMap, e.g. questions.jsonl. The suffix decides the format: .jsonl, "
            ".json (an array of objects) or .csv (with a header)."
        ),
    )


class Dataset(Entity, OpenModel):
    """Where the data of a task or target is.

    `config_map_ref` is the one field that is not NeMo's: it is replaced by the rows before a request is made.
    """

    model_config = ConfigDict(json_schema_extra={ONE_REQUIRED: ["files_url", "configMapRef"]})

    files_url: Url | None = Field(
        None,
        description=(
            'URL of the files: "hf://datasets/NAMESPACE/NAME[/FILE]" (NeMo Data Store or Hugging Face), '
            '"file://fiqa/" for a built-in dataset, "nds://..." or another URL that the evaluator can '
            "read. Exactly one of files_url and configMapRef is required."
        ),
    )
    config_map_ref: ConfigMapKeyRef | None = Field(
        None,
        alias="configMapRef",
        description=(
            "Rows from a ConfigMap in the namespace of this object: at most 1 MiB and 10,000 rows, read "
            "when the evaluator is called. A target of type dataset is sent as type rows; elsewhere "
            "files_url becomes a data: URL, which the local evaluator reads and NVIDIA's documentation "
            "does not mention. Exactly one of files_url and configMapRef is required."
        ),
    )
    format: Name | None = Field(
        None, description='Schema of the data, not the file format: e.g. "beir", "squad", "ragas".'
    )
    hf_endpoint: Url | None = Field(
        None,
        description=(
            "Endpoint for hf:// URLs. NeMo's default is its own Data Store; for the Hugging Face Hub write "
            '"https://huggingface.co".'
        ),
    )
    split: Name | None = Field(None, description='Split of the dataset: e.g. "train", "validation", "test".')
    limit: int | None = Field(
        None, ge=1, description="Maximum number of items of the dataset to use. Absent: all of them."
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
