"""Sources of a task's rows: the target, or a dataset."""

from __future__ import annotations

from nemo_local_evaluator.datasets import DatasetSource, Row
from nemo_local_evaluator.wire.errors import EvaluationError
from nemo_local_evaluator.wire.schemas import Dataset, Params, TargetInput

__all__ = ["limit_of", "recorded_rows", "rows_of", "source_of"]


def rows_of(target: TargetInput, dataset: str | Dataset | None, *, owner: str) -> list[Row] | DatasetSource:
    """Return the rows of a target. `owner` is the field that needs the dataset, for messages.

    Raises EvaluationError.
    """
    if target.type == "rows":
        if not target.rows:
            raise EvaluationError("target of type 'rows' has no rows")
        return target.rows
    return source_of(dataset, owner=owner)


def recorded_rows(target: TargetInput) -> list[Row] | DatasetSource:
    """Return the rows of a target that holds recorded answers. Raise EvaluationError."""
    if target.type == "cached_outputs":
        if target.cached_outputs is None:
            raise EvaluationError("target of type 'cached_outputs' has no cached_outputs")
        return source_of(target.cached_outputs.files_url, owner="the target")
    return rows_of(target, target.dataset, owner="the target")


def source_of(dataset: str | Dataset | None, *, owner: str) -> DatasetSource:
    """Return the source of a dataset that a config names. Raise EvaluationError."""
    if dataset is None:
        raise EvaluationError(f"{owner} has no dataset")
    if isinstance(dataset, str):
        if "://" not in dataset:
            raise EvaluationError(
                f"dataset {dataset!r} is a name, but there is no data store here; give its files_url instead"
            )
        return DatasetSource(files_url=dataset)
    return DatasetSource(
        files_url=dataset.files_url,
        format=dataset.format,
        hf_endpoint=dataset.hf_endpoint,
        split=dataset.split,
        hf_token=_hf_token(dataset),
    )


def limit_of(dataset: str | Dataset | None, params: Params) -> int | None:
    """The smaller of the dataset's and the config's; None for all rows."""
    own = dataset.limit if isinstance(dataset, Dataset) else None
    return min((limit for limit in (own, params.limit_samples) if limit), default=None)


def _hf_token(dataset: Dataset) -> str | None:
    """No field of NeMo's schema, but kept and masked as others that it knows by this name."""
    token = (dataset.model_extra or {}).get("hf_token")
    return token.strip() if isinstance(token, str) else None
