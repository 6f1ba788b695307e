"""The evaluation target: what is evaluated - a model, answers given earlier, a retriever, a RAG pipeline.

Field names and meanings are NeMo Evaluator's (`/v1/evaluation/targets`); fields that only the server
writes are not here. The descriptions become `kubectl explain`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.nemo.base import NemoModel, OpenModel
from nemo_eval_operator.nemo.config import (
    Dataset,
    Entity,
    Name,
    NotNegative,
    Probability,
    StopText,
    Text,
    Url,
)

TargetType = Literal["model", "cached_outputs", "retriever", "rag", "rows", "dataset"]


class ApiEndpoint(OpenModel):
    """Where a model answers, and in which protocol."""

    url: Url = Field(
        description=(
            "URL that takes the requests, with its path: e.g. "
            "http://nim.models.svc:8000/v1/chat/completions. It is called by the evaluator, so it must "
            "be reachable from there."
        )
    )
    model_id: Name = Field(description="The model's name at that endpoint, e.g. meta/llama-3.1-8b-instruct.")
    api_key: str | None = Field(
        None,
        description="Key for the endpoint. Leave it out and let valuesFrom put it here from a Secret.",
    )
    format: Name | None = Field(
        None,
        description=(
            'Protocol of the endpoint: "nim" (NeMo\'s default), "openai" or "lama_stack" (NeMo\'s spelling).'
        ),
    )


class InferenceParams(OpenModel):
    """How the model picks its tokens where the config does not say."""

    temperature: NotNegative | None = Field(None, description="Sampling temperature.")
    top_p: Probability | None = Field(None, description="Nucleus sampling, 0 to 1.")
    top_k: int | None = Field(None, description="Consider only this many of the most likely tokens.")
    max_tokens: int | None = Field(None, ge=1, description="Most tokens to generate for one answer.")
    stop: StopText | list[StopText] | None = Field(
        None, description="Text at which generation stops: one string, or a list."
    )


class ReasoningParams(OpenModel):
    """How the model's reasoning is controlled, and cut off from its answer."""

    end_token: StopText | None = Field(
        None, description='Text that ends the reasoning, e.g. "</think>"; what follows is the answer.'
    )
    include_if_not_finished: bool | None = Field(
        None, description="Whether an answer in which end_token is missing is used as it is."
    )
    effort: Name | None = Field(None, description='How much to reason: "low", "medium" or "high".')


class PromptData(OpenModel):
    """How the model is prompted, whatever the config asks."""

    system_prompt: str | None = Field(
        None, description='Instructions that come first in every request, e.g. "detailed thinking on".'
    )
    icl_few_shot_examples: str | None = Field(
        None, description="Examples of inputs and outputs that guide the model."
    )
    system_prompt_template: str | None = Field(
        None,
        description="How the examples become part of the prompt; may name {{icl_few_shot_examples}}.",
    )
    inference_params: InferenceParams | None = Field(
        None, description="How the model picks its tokens where the config does not say."
    )
    reasoning_params: ReasoningParams | None = Field(
        None, description="How the model's reasoning is controlled, and cut off from its answer."
    )


class Model(Entity, OpenModel):
    """A model, described in place."""

    api_endpoint: ApiEndpoint | None = Field(None, description="Where the model answers.")
    prompt: PromptData | None = Field(
        None, description="How the model is prompted, whatever the config asks."
    )
    guardrails: JsonObject | None = Field(
        None, description="Guardrails around the model: {files_url} or {data} of a guardrail configuration."
    )
    spec: JsonObject | None = Field(
        None, description="What is known of the model, such as its number of parameters."
    )
    artifact: JsonObject | None = Field(None, description="Where the model's files are: {files_url, ...}.")
    base_model: Text | JsonObject | None = Field(
        None, description="The model that this one was made from: its name in NeMo, or an object."
    )
    peft: JsonObject | None = Field(None, description="How the model was fine-tuned, e.g. {type: lora}.")


ModelRef = Name | Model


class CachedOutputs(NemoModel):
    """Answers that a model gave earlier."""

    files_url: Url = Field(
        description='Where the answers are, e.g. "hf://datasets/NAMESPACE/NAME/outputs.jsonl".'
    )


class RetrieverPipeline(NemoModel):
    """The models a retriever is made of."""

    query_embedding_model: ModelRef = Field(
        description="Model that embeds the queries: its name in NeMo, or {api_endpoint: {url, model_id}}."
    )
    index_embedding_model: ModelRef = Field(
        description="Model that embeds the documents: its name in NeMo, or {api_endpoint: {url, model_id}}."
    )
    reranker_model: ModelRef | None = Field(
        None,
        description=(
            "Model that reorders what was found: its name, or {api_endpoint: ...}. Absent: no reranking."
        ),
    )
    top_k: int | None = Field(None, ge=1, description="How many documents the retriever returns for a query.")


class Retriever(NemoModel):
    """A retriever: a live pipeline, or what one returned earlier."""

    pipeline: RetrieverPipeline | None = Field(None, description="The models of a live retriever.")
    cached_outputs: CachedOutputs | None = Field(None, description="What a retriever returned earlier.")
    dataset: Dataset | None = Field(None, description="A data set that holds what is to be evaluated.")


class RagPipeline(NemoModel):
    """A retriever and the model that answers from what it finds."""

    retriever: Retriever = Field(description="The retriever that finds the context.")
    model: ModelRef = Field(
        description="Model that writes the answer: its name in NeMo, or {api_endpoint: {url, model_id}}."
    )
    context_ordering: Name | None = Field(
        None, description='Order in which the context is put into the prompt, e.g. "desc".'
    )


class Rag(NemoModel):
    """A RAG application: a live pipeline, or what one answered earlier."""

    pipeline: RagPipeline | None = Field(None, description="Retriever and model of a live RAG pipeline.")
    cached_outputs: CachedOutputs | None = Field(None, description="What a RAG pipeline answered earlier.")
    dataset: Dataset | None = Field(None, description="A data set that holds what is to be evaluated.")


class EvaluationTarget(Entity):
    """An evaluation target of NeMo Evaluator."""

    type: TargetType = Field(description="What is evaluated; the field of the same name says the rest.")
    model: ModelRef | None = Field(
        None,
        description=(
            "For type model: the model's name in NeMo, e.g. meta/llama-3.1-8b-instruct, or "
            "{api_endpoint: {url, model_id, format, api_key}}."
        ),
    )
    cached_outputs: CachedOutputs | None = Field(
        None, description="For type cached_outputs: answers that a model gave earlier."
    )
    retriever: Retriever | None = Field(None, description="For type retriever: the retriever to evaluate.")
    rag: Rag | None = Field(None, description="For type rag: the RAG pipeline to evaluate.")
    rows: list[JsonObject] | None = Field(
        None,
        max_length=10000,
        description='For type rows: the data itself, free-form, e.g. [{"question": "...", "answer": "..."}].',
    )
    dataset: Name | Dataset | None = Field(
        None,
        description=(
            'For type dataset: {"files_url": "hf://datasets/..."}, {"configMapRef": {"name": ..., "key": '
            '...}} for rows in a ConfigMap, or the "NAMESPACE/NAME" of a data set that NeMo knows.'
        ),
    )
