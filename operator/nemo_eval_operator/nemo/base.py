"""What all of NeMo's schemas share: read any version of them, and write back exactly what was read.

NVIDIA adds fields in every release. A field unknown here is kept and sent on, so that a newer evaluator can
be used before the operator has learnt its words; `to_request` gives back what was written, nothing more.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

# Where NeMo is free-form (params.extra, task and metric params, custom_fields, rows).
JsonObject = dict[str, JsonValue]


class NemoModel(BaseModel):
    """A schema of NeMo Evaluator, snake_case as on the wire."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=(), hide_input_in_errors=True)

    def to_request(self) -> dict[str, Any]:
        """What was written, ready for JSON: no defaults added, no nulls dropped, numbers as they were."""
        return self.model_dump(mode="json", exclude_unset=True)
