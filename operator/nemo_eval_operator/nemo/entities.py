"""Entities of NeMo's store: the fields of every named object, and datasets."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.nemo.base import ONE_REQUIRED, NemoModel, OpenModel

Name = Annotated[str, Field(min_length=1, max_length=512)]
Text = Annotated[str, Field(max_length=4096)]
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
