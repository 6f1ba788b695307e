"""Settings of one server: made by the command line, passed to the application factory."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from .harness import Harness
from .scoring import STEP_SECONDS
from .wire.quirks import Quirk

__all__ = ["RegisteredModel", "Settings", "read_models", "read_token"]


class RegisteredModel(BaseModel):
    """An endpoint behind a model name, so that a target may say `"model": "<name>"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    model_id: str | None = None
    """The name the endpoint knows the model by; the registered name where absent."""
    api_key: str | None = None


_REGISTRY: Final = TypeAdapter(dict[str, RegisteredModel])


@dataclass(frozen=True, kw_only=True)
class Settings:
    data: Path
    """Home of the database; datasets are read from here where no other place is allowed."""
    allow_paths: tuple[Path, ...] = ()
    """Directories that datasets may be read from, in order of search; `data` when empty."""
    workers: int = 4
    """Jobs evaluated at the same time; each has its own `params.parallelism` of model calls."""
    models: Mapping[str, RegisteredModel] = field(default_factory=lambda: MappingProxyType({}))
    retry_base: float = 0.5
    """Seconds before the first retry of a model call; doubled for each further one."""

    harness: Harness = field(default_factory=Harness)
    """Settings of lm-eval, which runs academic benchmarks."""

    scoring_workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes that render templates and compute metrics."""
    step_seconds: float = STEP_SECONDS
    """Seconds of CPU time for one prompt or one metric of one sample; anything longer is stopped."""

    hosts: frozenset[str] | None = None
    """Host names that requests may carry, in lower case; None for any."""
    token: str | None = field(default=None, repr=False)
    """Bearer token that every request but those to /health has to carry; None for no authentication."""

    quirks: frozenset[Quirk] = frozenset()
    """Deviations from the default behaviour, which other evaluators may show."""

    @property
    def artifacts(self) -> Path:
        return self.data / "jobs"

    @property
    def database(self) -> Path:
        return self.data / "evaluator.db"

    @property
    def dataset_roots(self) -> tuple[Path, ...]:
        return tuple(path.resolve() for path in self.allow_paths or (self.data,))


def read_token(text: str) -> str:
    """Return the token in the text of a file or variable. Raise ValueError where no header could carry it."""
    token = text.strip()
    if not re.fullmatch("[!-~]+", token):
        raise ValueError("is not one line of printable ASCII without spaces")
    return token


def read_models(path: Path) -> dict[str, RegisteredModel]:
    return _REGISTRY.validate_json(path.read_bytes())
