"""Rows of datasets, wherever they lie and however they are written: on disk, behind http(s), on a hub.

A dataset is read twice: once to check every row, so that a bad one is told before any model is called, and
once to use it. Neither holds more than a batch of it in memory.
"""

from nemo_local_evaluator.datasets.directory import Directory
from nemo_local_evaluator.datasets.reader import DatasetReader
from nemo_local_evaluator.datasets.row import Row, item_id
from nemo_local_evaluator.datasets.rows import Rows, rows_in_memory
from nemo_local_evaluator.datasets.source import DatasetSource

__all__ = ["DatasetReader", "DatasetSource", "Directory", "Row", "Rows", "item_id", "rows_in_memory"]
