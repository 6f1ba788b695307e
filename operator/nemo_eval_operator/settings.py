"""The operator's settings, from the environment; command-line options of the same name go before them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AliasChoices, Field, HttpUrl, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["LogFormat", "Settings"]


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


class Settings(BaseSettings):
    """Every variable is NEMO_ and the field's name; the evaluator's is the one that NVIDIA's clients read."""

    model_config = SettingsConfigDict(env_prefix="NEMO_", frozen=True)

    evaluator_url: HttpUrl = Field(
        HttpUrl("http://localhost:7331"),
        validation_alias=AliasChoices("evaluator_url", "NVIDIA_EVALUATOR_URL"),
        description="Base URL of the NeMo Evaluator. 7331 is its default port.",
    )
    kubeconfig: Path | None = Field(
        None,
        description="Kubeconfig; default: the pod's service account, else kubectl's own configuration.",
    )
    namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Namespaces to watch, separated by commas; empty: all."
    )
    poll_interval_seconds: float = Field(
        5.0, ge=0.2, le=600, description="Seconds between two looks at the running jobs."
    )
    request_timeout_seconds: float = Field(
        30.0, gt=0, le=600, description="Seconds after which a call to the evaluator is given up."
    )
    settle_seconds: float = Field(
        120.0,
        ge=0,
        le=3600,
        description=(
            "Seconds after a submission without an answer in which its job may still appear; "
            "only then is it submitted again. Longer than request_timeout_seconds."
        ),
    )
    workers: int = Field(16, ge=1, le=256, description="Objects reconciled at the same time.")
    health_port: int = Field(
        8080, ge=0, le=65535, description="Port of /healthz and /metrics; 0 turns it off."
    )
    log_format: LogFormat = Field(LogFormat.JSON, description="json for collectors, console for people.")
    log_level: str = Field(
        "INFO", pattern="(?i)^(debug|info|warning|error)$", description="Least level logged."
    )

    @field_validator("namespaces", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _settle_after_the_timeout(self) -> Self:
        """A request that we have given up may still be at work in the evaluator."""
        if self.settle_seconds <= self.request_timeout_seconds:
            raise ValueError("settle_seconds must be longer than request_timeout_seconds")
        return self
