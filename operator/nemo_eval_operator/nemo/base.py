"""What all of NeMo's schemas share: three kinds of objects, and writing back exactly what was read.

`NemoModel` is closed: the API server refuses or prunes a field that is not declared, so that a misspelt
`metrics` is noticed. `OpenModel` is for objects to which NVIDIA adds fields in every release: an undeclared
field is kept and sent on, and reported as a possible typo (`lifecycle.unknown_fields`). `FreeFormModel` is
for objects whose keys are the evaluation type's own: undeclared fields are kept, sent on, and expected. The
CRDs say the same (`resources.structural`).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

ONE_REQUIRED: Final = "one-required"
"""Key in a model's JSON schema: fields of which at least one is required. It becomes `anyOf` in the CRDs."""


class NemoModel(BaseModel):
    """A schema of NeMo Evaluator, snake_case as on the wire, that takes declared fields only."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=(), hide_input_in_errors=True)

    def to_request(self) -> dict[str, Any]:
        """What was written, ready for JSON: no defaults added, no nulls dropped, numbers as they were."""
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class OpenModel(NemoModel):
    """A schema whose undeclared fields are sent on, and reported."""

    model_config = ConfigDict(extra="allow")

    # JSON, which pydantic bounds in depth; without it undeclared fields would not be checked at all.
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    REPORTS_UNDECLARED: ClassVar[bool] = True


class FreeFormModel(OpenModel):
    """A schema whose undeclared fields are sent on."""

    REPORTS_UNDECLARED: ClassVar[bool] = False
