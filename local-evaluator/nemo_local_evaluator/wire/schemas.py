"""Documents of the v1 REST API: request bodies and responses.

Unknown keys are kept everywhere, as the service keeps them; only what a caller may rely on is typed.
Input classes check requests. `Config`, `Target` and `Job` add what the server writes, and spell out
absent fields as null where a job embeds them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

__all__ = [
    "ApiEndpoint",
    "CachedOutputs",
    "Config",
    "ConfigInput",
    "Count",
    "Dataset",
    "DeleteResponse",
    "Described",
    "Document",
    "EntityInput",
    "Group",
    "InferenceParams",
    "Job",
    "JobInput",
    "JobStatus",
    "Metric",
    "Model",
    "Name",
    "Ownership",
    "Page",
    "Pagination",
    "Params",
    "PromptData",
    "ReasoningParams",
    "StatusDetails",
    "Target",
    "TargetInput",
    "Task",
    "Whole",
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^/ \t\r\n\f\v]+$")]
"""No slash, which separates namespace from name in references; no blanks: spelled out, since dialects of
regular expressions differ in what else is one."""


def _whole(value: object) -> object:
    """JSON Schema calls 5.0 an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[int, Field(gt=0), BeforeValidator(_whole)]


class Document(BaseModel):
    # Strict: "5" is not a number and 1 is not a boolean, as the schema in /openapi.json says.
    model_config = ConfigDict(extra="allow", strict=True)


class Ownership(Document):
    created_by: str | None = None
    updated_by: str | None = None
    access_policies: dict[str, str] | None = None


class Described(Document):
    description: str | None = None
    project: str | None = None
    custom_fields: dict[str, Any] = Field(default_factory=dict)
    ownership: Ownership | None = None


class Params(Document):
    parallelism: Count | None = Field(default=None, description="Model calls at the same time.")
    request_timeout: Count | None = Field(default=None, description="Seconds for one model call.")
    max_retries: Annotated[int, Field(ge=0), BeforeValidator(_whole)] | None = None
    limit_samples: Count | None = None
    max_tokens: Count | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    extra: dict[str, Any] | None = None


class Metric(Document):
    type: str
    params: dict[str, Any] | None = None


class Dataset(Described):
    files_url: str
    format: str | None = None
    hf_endpoint: str | None = None
    split: str | None = None
    limit: Count | None = None
    name: str | None = None
    namespace: str | None = None
    type_prefix: str | None = None


class Task(Document):
    type: str
    params: dict[str, Any] | None = None
    dataset: str | Dataset | None = None
    metrics: dict[str, Metric] | None = None


class Group(Document):
    tasks: list[str] | None = None
    metrics: dict[str, Metric] | None = None
    groups: dict[str, Group] | None = None


class ApiEndpoint(Document):
    url: str
    model_id: str
    api_key: str | None = None
    format: Literal["nim", "openai", "lama_stack"] = "nim"


class InferenceParams(Document):
    max_tokens: Count | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_k: Whole | None = None
    top_p: float | None = None


class ReasoningParams(Document):
    end_token: str | None = Field(default=None, description="Ends the reasoning; what follows is the answer.")
    include_if_not_finished: bool | None = Field(
        default=None,
        description="Whether an answer without end_token counts as it is (default), or as empty.",
    )
    effort: str | None = None


class PromptData(Document):
    system_prompt: str | None = None
    icl_few_shot_examples: str | None = None
    system_prompt_template: str | None = None
    inference_params: InferenceParams | None = None
    reasoning_params: ReasoningParams | None = None


class Model(Described):
    api_endpoint: ApiEndpoint | None = None
    name: str | None = None
    namespace: str | None = None
    spec: dict[str, Any] | None = None
    artifact: dict[str, Any] | None = None
    base_model: str | dict[str, Any] | None = None
    peft: dict[str, Any] | None = None
    prompt: PromptData | None = None
    guardrails: dict[str, Any] | None = None


class CachedOutputs(Document):
    files_url: str


class EntityInput(Described):
    """Fields that configs and targets share."""

    name: Name | None = Field(default=None, description="Unique in its namespace; generated when absent.")
    namespace: Name = "default"


class ConfigInput(EntityInput):
    type: str
    params: Params | None = None
    tasks: dict[str, Task] | None = None
    groups: dict[str, Group] | None = None


class TargetInput(EntityInput):
    type: Literal["model", "cached_outputs", "retriever", "rag", "rows", "dataset"]
    model: str | Model | None = None
    cached_outputs: CachedOutputs | None = None
    retriever: dict[str, Any] | None = None
    rag: dict[str, Any] | None = None
    rows: list[dict[str, Any]] | None = None
    dataset: str | Dataset | None = None


class Config(ConfigInput):
    schema_version: str = "1.0"
    id: str
    type_prefix: str = "eval-config"
    created_at: str
    updated_at: str


class Target(TargetInput):
    schema_version: str = "1.0"
    id: str
    type_prefix: str = "eval-target"
    created_at: str
    updated_at: str


class JobStatus(StrEnum):
    CREATED = "created"
    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    COMPLETED = "completed"

    @property
    def terminal(self) -> bool:
        return self in {JobStatus.CANCELLED, JobStatus.FAILED, JobStatus.COMPLETED}


class StatusDetails(Document):
    message: str | None = None
    task_status: dict[str, Literal["pending", "running", "completed", "failed"]] = Field(default_factory=dict)
    progress: float | None = Field(default=None, description="Per cent of all samples, 0 to 100.")
    samples_processed: Whole | None = None


class JobInput(Described):
    config: str | ConfigInput
    target: str | TargetInput
    namespace: Name = "default"

    @model_validator(mode="after")
    def _refuse_results(self) -> Self:
        """What only the server says of a job is not ignored: a caller would take it for accepted."""
        for name in ("status", "status_details", "result", "output_files_url"):
            if (self.model_extra or {}).get(name) is not None:
                raise ValueError(f"{name} is the server's to set; leave it out")
        return self


class Job(Described):
    id: str
    namespace: str
    config: Config
    target: Target
    result: str | None = None
    output_files_url: str | None = None
    status: JobStatus
    status_details: StatusDetails
    created_at: str
    updated_at: str


class Pagination(BaseModel):
    page: int
    page_size: int
    current_page_size: int
    total_pages: int
    total_results: int


Item = TypeVar("Item", bound=BaseModel)


class Page(BaseModel, Generic[Item]):
    object: Literal["list"] = "list"
    data: list[Item]
    pagination: Pagination
    sort: str
    filter: dict[str, Any] = Field(description="The filters or searches of the request, as objects.")
    search: dict[str, Any] = Field(description="The filters or searches of the request, as objects.")


class DeleteResponse(BaseModel):
    message: str = "Resource deleted successfully."
    id: str
    deleted_at: str | None = None
