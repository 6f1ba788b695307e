"""Reconcilers: read an object by key and execute the steps chosen by `lifecycle`. No dependency on Kopf."""

from .benchmark.reconciler import BenchmarkReconciler
from .connection.reconciler import ConnectionReconciler
from .job.fast_path import FastPath
from .job.index import JobIndex
from .job.reconciler import JobReconciler
from .lanes import lane_of
from .secrets import SecretReader
from .waiters import BenchmarkWaiters

__all__ = [
    "BenchmarkReconciler",
    "BenchmarkWaiters",
    "ConnectionReconciler",
    "FastPath",
    "JobIndex",
    "JobReconciler",
    "SecretReader",
    "lane_of",
]
