"""`python -m nemo_local_evaluator`."""

from __future__ import annotations

from .cli import app

if __name__ == "__main__":
    app()
