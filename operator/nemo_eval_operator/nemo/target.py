"""The evaluation target: what is evaluated - a model, answers given earlier, a retriever, a RAG pipeline.

Field names and meanings are NeMo Evaluator's (`/v1/evaluation/targets`); fields that only the server
writes are not here. The descriptions become `kubectl explain`.
"""

from typing import Literal

from pydantic import Field

from nemo_eval_operator.nemo.base import JsonObject, NemoModel
from nemo_eval_operator.nemo.config import Dataset, Entity, Name, Url

TargetType = Literal["model", "cached_outputs", "retriever", "rag", "rows", "dataset"]


class ApiEndpoint(NemoModel):
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


class Model(Entity):
    """A model, described in place."""

    api_endpoint: ApiEndpoint | None = Field(None, description="Where the model answers.")


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
            'For type dataset: {"files_url": "hf://datasets/..."}, or the "NAMESPACE/NAME" of a data set '
            "that NeMo knows."
        ),
    )
