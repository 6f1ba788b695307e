"""The evaluation target: what is evaluated - a model, answers given earlier, a retriever, a RAG pipeline.

Field names and meanings are NeMo Evaluator's (`/v1/evaluation/targets`); fields that only the server
writes are not here. The descriptions become `kubectl explain`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.nemo.base import NemoModel, OpenModel
from nemo_eval_operator.nemo.config import NotNegative, Probability, StopText
from nemo_eval_operator.nemo.entities import Dataset, Entity, Name, Text, Url

TargetType = Literal["model", "cached_outputs", "retriever", "rag", "rows", "dataset"]


class ApiEndpoint(OpenModel):
    """Endpoint of a model, and its protocol."""

    url: Url = Field(
        description=(
            "URL of the endpoint, with its path: e.g. http://nim.models.svc:8000/v1/chat/completions. "
            "The evaluator calls it, so it must be reachable from the evaluator."
        )
    )
    model_id: Name = Field(description="Name of the model at the endpoint, e.g. meta/llama-3.1-8b-instruct.")
    api_key: str | None = Field(
        None,
        description=(
            "API key of the endpoint. Use valuesFrom to read it from a Secret instead of writing it here."
        ),
    )
    format: Name | None = Field(
        None,
        description=(
            'Protocol of the endpoint: "nim" (NeMo\'s default), "openai" or "lama_stack" (NeMo\'s spelling).'
        ),
    )


class InferenceParams(OpenModel):
    """Sampling parameters that apply where the config does not set them."""

    temperature: NotNegative | None = Field(None, description="Sampling temperature.")
    top_p: Probability | None = Field(None, description="Nucleus sampling probability, from 0 to 1.")
    top_k: int | None = Field(None, description="Number of most likely tokens that are considered.")
    max_tokens: int | None = Field(None, ge=1, description="Maximum number of tokens of one answer.")
    stop: StopText | list[StopText] | None = Field(
        None, description="Text at which generation stops: one string, or a list."
    )


class ReasoningParams(OpenModel):
    """How the model's reasoning is controlled, and separated from its answer."""

    end_token: StopText | None = Field(
        None, description='Text that ends the reasoning, e.g. "</think>"; the text after it is the answer.'
    )
    include_if_not_finished: bool | None = Field(
        None, description="Whether an answer without end_token is used as it is."
    )
    effort: Name | None = Field(None, description='Reasoning effort: "low", "medium" or "high".')


class PromptData(OpenModel):
    """Prompt settings of the model, used with every config."""

    system_prompt: str | None = Field(
        None, description='System prompt of every request, e.g. "detailed thinking on".'
    )
    icl_few_shot_examples: str | None = Field(
        None, description="Examples of inputs and outputs that guide the model."
    )
    system_prompt_template: str | None = Field(
        None,
        description=("Template that adds the examples to the prompt; it can use {{icl_few_shot_examples}}."),
    )
    inference_params: InferenceParams | None = Field(
        None, description="Sampling parameters that apply where the config does not set them."
    )
    reasoning_params: ReasoningParams | None = Field(
        None, description="How the model's reasoning is controlled, and separated from its answer."
    )


class Model(Entity, OpenModel):
    """A model, described inline."""

    api_endpoint: ApiEndpoint | None = Field(None, description="Endpoint of the model.")
    prompt: PromptData | None = Field(
        None, description="Prompt settings of the model, used with every config."
    )
    guardrails: JsonObject | None = Field(
        None, description="Guardrails around the model: {files_url} or {data} of a guardrail configuration."
    )
    spec: JsonObject | None = Field(
        None, description="Specification of the model, such as its number of parameters."
    )
    artifact: JsonObject | None = Field(None, description="Location of the model's files: {files_url, ...}.")
    base_model: Text | JsonObject | None = Field(
        None, description="Base model of this model: its name in NeMo, or an object."
    )
    peft: JsonObject | None = Field(None, description="How the model was fine-tuned, e.g. {type: lora}.")


ModelRef = Name | Model


class CachedOutputs(NemoModel):
    """Recorded answers of a model."""

    files_url: Url = Field(
        description='URL of the recorded answers, e.g. "hf://datasets/NAMESPACE/NAME/outputs.jsonl".'
    )


class RetrieverPipeline(NemoModel):
    """The models of a retriever."""

    query_embedding_model: ModelRef = Field(
        description="Model that embeds the queries: its name in NeMo, or {api_endpoint: {url, model_id}}."
    )
    index_embedding_model: ModelRef = Field(
        description="Model that embeds the documents: its name in NeMo, or {api_endpoint: {url, model_id}}."
    )
    reranker_model: ModelRef | None = Field(
        None,
        description=(
            "Model that reranks the retrieved documents: its name, or {api_endpoint: ...}. Absent: no "
            "reranking."
        ),
    )
    top_k: int | None = Field(
        None, ge=1, description="Number of documents that the retriever returns for a query."
    )


class Retriever(NemoModel):
    """A retriever: a live pipeline, or recorded outputs."""

    pipeline: RetrieverPipeline | None = Field(None, description="The models of a live retriever.")
    cached_outputs: CachedOutputs | None = Field(None, description="Recorded outputs of a retriever.")
    dataset: Dataset | None = Field(None, description="Dataset that contains the outputs to evaluate.")


class RagPipeline(NemoModel):
    """A retriever and the model that answers from the retrieved documents."""

    retriever: Retriever = Field(description="The retriever that finds the context.")
    model: ModelRef = Field(
        description=("Model that generates the answer: its name in NeMo, or {api_endpoint: {url, model_id}}.")
    )
    context_ordering: Name | None = Field(
        None, description='Order of the retrieved documents in the prompt, e.g. "desc".'
    )


class Rag(NemoModel):
    """A RAG application: a live pipeline, or recorded outputs."""

    pipeline: RagPipeline | None = Field(None, description="Retriever and model of a live RAG pipeline.")
    cached_outputs: CachedOutputs | None = Field(None, description="Recorded outputs of a RAG pipeline.")
    dataset: Dataset | None = Field(None, description="Dataset that contains the outputs to evaluate.")


class EvaluationTarget(Entity):
    """An evaluation target of NeMo Evaluator."""

    type: TargetType = Field(description="Type of the target. Its details are in the field of the same name.")
    model: ModelRef | None = Field(
        None,
        description=(
            "For type model: the model's name in NeMo, e.g. meta/llama-3.1-8b-instruct, or "
            "{api_endpoint: {url, model_id, format, api_key}}."
        ),
    )
    cached_outputs: CachedOutputs | None = Field(
        None, description="For type cached_outputs: recorded answers of a model."
    )
    retriever: Retriever | None = Field(None, description="For type retriever: the retriever to evaluate.")
    rag: Rag | None = Field(None, description="For type rag: the RAG pipeline to evaluate.")
    rows: list[JsonObject] | None = Field(
        None,
        max_length=10000,
        description='For type rows: the rows, free-form, e.g. [{"question": "...", "answer": "..."}].',
    )
    dataset: Name | Dataset | None = Field(
        None,
        description=(
            'For type dataset: {"files_url": "hf://datasets/..."}, {"configMapRef": {"name": ..., "key": '
            '...}} for rows in a ConfigMap, or the "NAMESPACE/NAME" of a dataset that is registered in '
            "NeMo."
        ),
    )
