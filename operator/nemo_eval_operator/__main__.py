"""`python -m nemo_eval_operator`."""

from __future__ import annotations

from .cli import app

app()
