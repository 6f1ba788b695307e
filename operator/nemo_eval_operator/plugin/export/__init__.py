"""Exports of runs to MLflow: `runs` reads them, `mapping` says what one becomes, `mlflow` sends it."""

from .mlflow import MlflowError, MlflowServer, credentials_in
from .runs import export_runs, read_runs

__all__ = ["MlflowError", "MlflowServer", "credentials_in", "export_runs", "read_runs"]
