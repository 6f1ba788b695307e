"""Settings and cluster credentials of a command, from its options and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from pydantic import ValidationError

from nemo_eval_operator.kube import Credentials, KubeConfigMissing
from nemo_eval_operator.settings import Settings
from nemo_eval_operator.validation import in_words

__all__ = ["read_settings"]


def read_settings(given: Mapping[str, Any]) -> tuple[Settings, Credentials]:
    """Return the settings and the credentials for the cluster; end the command if either is missing."""
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        return settings, Credentials.find(settings.kubeconfig)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {in_words(problem)}"
            for problem in error.errors()
        )
        raise typer.BadParameter("; ".join(problems)) from error
    except KubeConfigMissing as error:
        typer.echo(f"no way to the Kubernetes API: {error}", err=True)
        raise typer.Exit(2) from error
