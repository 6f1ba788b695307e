"""Rows of datasets, wherever they lie and however they are written: on disk, behind http(s), on a hub.

A dataset is read twice: once to check every row, so that a bad one is reported before any model is called,
and once to use it. Neither holds more than a batch of it in memory.
"""

from .directory import Directory
from .reader import DatasetReader
from .row import Row, item_id
from .rows import Rows, rows_in_memory
from .source import DatasetSource

__all__ = ["DatasetReader", "DatasetSource", "Directory", "Row", "Rows", "item_id", "rows_in_memory"]
