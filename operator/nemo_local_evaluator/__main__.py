"""Starts the command line, or says what to install where its dependencies are missing: they are an extra."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run `nemo-local-evaluator`."""
    try:
        from nemo_local_evaluator.cli import app  # noqa: PLC0415 - what it needs may be missing
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is missing: pip install 'nemo-eval-operator[local-evaluator]'")
    app()


if __name__ == "__main__":
    main()
