"""The manifests of deploy/recipes, and the projects whose kinds they are of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from testbed.go_modules import GoModule

__all__ = ["CRDS", "RECIPES", "containers", "documents", "words_of"]

RECIPES: Final = Path(__file__).parent.parent / "deploy" / "recipes"

CRDS: Final = {
    "argo-rollouts.yaml": (
        GoModule(
            "github.com/argoproj/argo-rollouts", "v1.9.0", "h1:bXgBpwCByXyAUcgBnyP0fxkSW2CEot78InTFjFlag5g="
        ),
        ("manifests/crds/analysis-template-crd.yaml", "manifests/crds/rollout-crd.yaml"),
    ),
    "flagger.yaml": (
        GoModule("github.com/fluxcd/flagger", "v1.36.1", "h1:X2PumtNwZz9YSGaOtZLFm2zAKLgHhFkbNv8beg7ifyc="),
        ("artifacts/flagger/crd.yaml",),
    ),
    "flux-alert.yaml": (
        GoModule(
            "github.com/fluxcd/notification-controller",
            "v1.6.0",
            "h1:5C06VdqTVsbBFjtSZejnKT60U00Uyj6DAtKrqU1Si/w=",
        ),
        tuple(
            f"config/crd/bases/notification.toolkit.fluxcd.io_{kind}.yaml" for kind in ("alerts", "providers")
        ),
    ),
    "tekton.yaml": (
        GoModule("github.com/tektoncd/pipeline", "v1.6.0", "h1:A+D+jzOVl2QNl/yiNT7csVgBUy2wpz6K6+/D4q5lfss="),
        ("config/300-crds/300-task.yaml", "config/300-crds/300-taskrun.yaml"),
    ),
}
"""Of each recipe with kinds of another project: the module that has their CRDs, and the files."""


def documents(name: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all((RECIPES / name).read_text()) if document]


def containers(part: Any) -> Iterator[dict[str, Any]]:
    """Every container or step below `part` that runs the plugin."""
    if isinstance(part, dict):
        if part.get("command") == ["kubectl-nemoeval"]:
            yield part
        for child in part.values():
            yield from containers(child)
    elif isinstance(part, list):
        for child in part:
            yield from containers(child)


def words_of(container: Mapping[str, Any], run: str) -> list[str]:
    """Command and arguments as they are started for the run, with a short time-out."""
    text = json.dumps([*container["command"], *container["args"]])
    for placeholder in ("{{args.evaluation}}", "$(params.evaluation)", "qa-llama-8b-2"):
        text = text.replace(placeholder, run)
    words: list[str] = json.loads(text.replace("$(params.timeout)", "4h").replace("4h", "30s"))
    return words
