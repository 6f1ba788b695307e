"""`python -m nemo_local_evaluator`."""

from nemo_local_evaluator.cli import app

if __name__ == "__main__":
    app()
