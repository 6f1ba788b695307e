"""Examples that the help of each command shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["EXAMPLES"]

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "run": (
        "kubectl nemoeval run -b qa -m llama-8b --wait",
        "kubectl nemoeval run -b qa -m llama-8b --sampling-params temperature=0",
        "kubectl nemoeval run --like old -m llama-8b --gate gate.yaml --baseline old",
    ),
    "wait": ("kubectl nemoeval wait qa-new --timeout 2h",),
    "cancel": ("kubectl nemoeval cancel qa-new",),
    "suspend": ("kubectl nemoeval suspend qa-new",),
    "resume": ("kubectl nemoeval resume qa-new",),
    "rerun": ("kubectl nemoeval rerun qa-new",),
    "get": (
        "kubectl nemoeval get -w",
        "kubectl nemoeval get qa-old qa-new -o wide",
        "kubectl nemoeval get -A -l team=search -o name",
    ),
    "why": ("kubectl nemoeval why qa-new",),
    "logs": (
        "kubectl nemoeval logs qa-new -f",
        "kubectl nemoeval logs qa-new --evaluator-url http://127.0.0.1:7331",
    ),
    "results": (
        "kubectl nemoeval results qa-new",
        "kubectl nemoeval results qa-new -o csv > scores.csv",
    ),
    "rows": ("kubectl nemoeval rows qa-new --worst 20",),
    "compare": (
        "kubectl nemoeval compare qa-old qa-new",
        "kubectl nemoeval compare qa-old qa-new --flips 20 -o json",
    ),
    "report": (
        "kubectl nemoeval report qa-old qa-new -o report.html",
        "kubectl nemoeval report qa-new -o comment.md",
    ),
    "export": ("kubectl nemoeval export mlflow qa-new --tracking-uri http://mlflow:5000",),
    "doctor": ("kubectl nemoeval doctor -n team-a",),
    "import": (
        "kubectl nemoeval import config.json | kubectl apply -f -",
        "kubectl nemoeval import launcher.yaml --name nightly > runs.yaml",
    ),
}
"""Command lines by the name of their command."""
