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
    """What every named object in NeMo's entity store carries."""

    name: Name | None = Field(
        None,
        description=(
            "Name of the entity in NeMo, unique within its namespace. Absent: one is chosen for you."
        ),
    )
    namespace: Name | None = Field(
        None,
        description='Namespace of the entity in NeMo (not in Kubernetes). NeMo\'s own default is "default".',
    )
    description: Text | None = Field(None, description="What the entity is for, in your own words.")
    project: Name | None = Field(None, description="URN of the NeMo project that the entity belongs to.")
    custom_fields: JsonObject | None = Field(
        None,
        max_length=256,
        description=(
            "Fields of your own, kept by NeMo and given back unchanged. String values work with every "
            'release; e.g. {"team": "search"}.'
        ),
    )
    ownership: Ownership | None = Field(None, description="Who owns the entity, and who may use it.")


class JudgeEndpoint(OpenModel):
    """Where a judge answers."""

    url: Url | None = Field(None, description="URL that takes the judge's requests, with its path.")
    model_id: Name | None = Field(None, description="The judge's name at that endpoint.")
    api_key: str | None = Field(
        None,
        description="Key for the endpoint. Leave it out and let valuesFrom put it here from a Secret.",
    )


class Judge(FreeFormModel):
    """A model that judges answers, described in place."""

    api_endpoint: JudgeEndpoint | None = Field(None, description="Where the judge answers.")


class FreeFormParams(FreeFormModel):
    """Free-form parameters, of which NVIDIA's schema reference names these."""

    hf_token: str | None = Field(
        None,
        description=(
            "Hugging Face token for gated data sets and tokenizers. Leave it out and let valuesFrom put "
            "it here from a Secret."
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
            "Key within the ConfigMap, e.g. questions.jsonl. Its ending says what it holds: .jsonl, .json "
            "(an array of objects) or .csv (with a header)."
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
            'Where the files are: "hf://datasets/NAMESPACE/NAME[/FILE]" (NeMo Data Store or Hugging Face), '
            '"file://fiqa/" for a built-in data set, "nds://..." or another URL that the evaluator can read. '
            "Exactly one of files_url and configMapRef is set."
        ),
    )
    config_map_ref: ConfigMapKeyRef | None = Field(
        None,
        alias="configMapRef",
        description=(
            "The rows themselves, from a ConfigMap in the namespace of this object: at most 1 MiB and 10,000 "
            "rows, read when the evaluator is called. A target of type dataset is sent as one of type rows; "
            "elsewhere files_url becomes a data: URL, which NVIDIA's documentation does not name: try it "
            "with your evaluator, or use a target of type dataset or a files_url that it reads. Exactly one "
            "of files_url and configMapRef is set."
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
    split: Name | None = Field(None, description='Split of the data set: e.g. "train", "validation", "test".')
    limit: int | None = Field(
        None, ge=1, description="Use at most this many items of the data set. Absent: all of them."
    )


class Metric(NemoModel):
    """What is measured."""

    type: Name = Field(
        description=(
            'What to measure: e.g. "accuracy", "bleu", "rouge", "em", "f1", "string-check", "number-check", '
            '"tool-calling", "llm-judge".'
        )
    )
    params: FreeFormParams | None = Field(
        None,
        description=(
            "Parameters of the metric, free-form. Jinja templates see {{item.COLUMN}} and "
            '{{sample.output_text}}; e.g. for bleu {"references": ["{{item.ideal_response}}"]}.'
        ),
    )


class Task(NemoModel):
    """One task of an evaluation: the prompts, the data, the metrics."""

    type: Name = Field(
        description=(
            'Kind of task, within what config.type knows: e.g. "chat-completion", "completion", "data" '
            'for custom, "beir" for retriever, "simple" for bfclv3, "tool_call_accuracy" for agentic.'
        )
    )
    params: FreeFormParams | None = Field(
        None,
        description=(
            'Parameters of the task, free-form. Custom tasks keep their prompt here: {"template": '
            '{"messages": [{"role": "user", "content": "{{item.question}}"}], "max_tokens": 200}}.'
        ),
    )
    dataset: Name | Dataset | None = Field(
        None,
        description=(
            'The data of the task: {"files_url": "hf://datasets/..."}, or the "NAMESPACE/NAME" of a data set '
            "that NeMo knows. Absent: the task brings its own."
        ),
    )
    metrics: dict[str, Metric] | None = Field(
        None,
        max_length=256,
        description="What to measure in this task, by a name of your choice; scores appear under that name.",
    )


class Group(OpenModel):
    """Tasks whose scores are also reported together."""

    # Open: groups nest, and a CRD's schema of them ends at some depth, below which nothing is pruned.

    tasks: list[Name] | None = Field(
        None, max_length=1024, description="Names of the tasks of this config that belong to the group."
    )
    metrics: dict[str, Metric] | None = Field(
        None, max_length=256, description="What to measure over the group, by a name of your choice."
    )
    groups: dict[str, Group] | None = Field(
        None, max_length=256, description="Groups within this group, by name."
    )


class SamplingParams(NemoModel):
    """How the model under evaluation picks its tokens."""

    temperature: NotNegative | None = Field(
        None,
        description=(
            "Sampling temperature; lower is more repeatable. NeMo takes 0 to 1, and some evaluation "
            "types refuse exactly 0: write 0.00001 for greedy decoding. Absent: the evaluation type's "
            "default."
        ),
    )
    top_p: Probability | None = Field(
        None,
        description=(
            "Nucleus sampling: only the most likely tokens that together reach this probability are "
            "considered, 0 to 1. Absent: the evaluation type's default."
        ),
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="Most tokens to generate for one answer. Absent: the evaluation type's default.",
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
        description="Most requests to the model at the same time. NeMo's default depends on the type.",
    )
    request_timeout: int | None = Field(
        None,
        ge=1,
        description=(
            "Time-out of one request to the model. NVIDIA's pages name no unit for every release: check "
            "yours before setting it. Absent: the evaluation type's default."
        ),
    )
    max_retries: int | None = Field(
        None, ge=0, description="How often a failed request to the model is repeated."
    )
    limit_samples: int | None = Field(
        None,
        ge=1,
        description=(
            "Evaluate only this many samples: a quick trial, not a score to quote. NeMo reports progress in "
            "percent only when this (or a data set's limit) is set."
        ),
    )
    extra: FreeFormParams | None = Field(
        None,
        description=(
            "Everything else the evaluation type understands, free-form: e.g. "
            '{"num_fewshot": 8, "hf_token": "...", "tokenizer": "meta-llama/Llama-3.1-8B-Instruct"}. '
            "Keep tokens out of it: let valuesFrom put them here from a Secret."
        ),
    )


class EvaluationConfig(Entity):
    """An evaluation config of NeMo Evaluator."""

    type: Name = Field(
        description=(
            'Evaluation type: an academic benchmark such as "gsm8k", "mmlu", "ifeval", "humaneval", '
            '"bfclv3", or "custom", "similarity_metrics", "agentic", "retriever", "rag". Any type your '
            "evaluator knows is allowed."
        )
    )
    params: Params | None = Field(None, description="Parameters of the whole evaluation.")
    tasks: dict[str, Task] | None = Field(
        None,
        max_length=1024,
        description="Tasks by a name of your choice. Academic benchmarks bring their own and need none.",
    )
    groups: dict[str, Group] | None = Field(
        None, max_length=256, description="Groups of tasks, by name, whose scores are also reported together."
    )
