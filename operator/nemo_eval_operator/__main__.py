"""`python -m nemo_eval_operator`."""

from .cli import app

app()
