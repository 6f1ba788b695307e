"""The config of a NemoBenchmark in the evaluator: whose it is, whether jobs may use it, which of them do."""

from __future__ import annotations

from nemo_eval_operator.evaluator.model import MASK, RemoteConfig
from nemo_eval_operator.lifecycle import Ownership, ownership_of
from nemo_eval_operator.lifecycle.job import BenchmarkUnusable
from nemo_eval_operator.lifecycle.requests import Tenancy, carries_config, config_body, config_name, digest_of
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob

from .facts import BenchmarkFacts, ConfigGone

__all__ = ["config_trouble", "digest_of_config", "has_config", "is_used_by", "owner_of"]


def has_config(benchmark: NemoBenchmark, facts: BenchmarkFacts) -> bool:
    """Return whether the benchmark has a config in the evaluator: as observed, else as in status."""
    match facts.remote:
        case None:
            return benchmark.status.config is not None
        case ConfigGone():
            return False
        case RemoteConfig() as remote:
            return owner_of(benchmark, remote, facts.tenancy) is Ownership.OWN


def owner_of(benchmark: NemoBenchmark, remote: RemoteConfig, tenancy: Tenancy) -> Ownership:
    """Return whether the config is the benchmark's own, or whose it is."""
    return ownership_of(remote.custom_fields, benchmark.metadata, cluster=tenancy.cluster)


def digest_of_config(benchmark: NemoBenchmark, remote: RemoteConfig, tenancy: Tenancy) -> str:
    """Return the digest of the spec and of the config as the evaluator has it, Secrets' values masked.

    `benchmark` has its rows in place of configMapRef.
    """
    masked = {source.target_path: MASK for source in benchmark.spec.values_from}
    return digest_of(config_body(benchmark, masked, cluster=tenancy.cluster), remote.document)


def config_trouble(
    benchmark: NemoBenchmark, remote: RemoteConfig | ConfigGone, tenancy: Tenancy
) -> BenchmarkUnusable | None:
    """Return why a job must not refer to the config as the evaluator has it now, or None if it may.

    `benchmark` has its rows in place of configMapRef. Others may still write the config between this check
    and the submission: no client can exclude that.
    """
    name = "/".join(config_name(benchmark))
    match remote:
        case ConfigGone():
            problem = f"config {name} is missing in the evaluator and is being created again"
        case RemoteConfig() if owner_of(benchmark, remote, tenancy) is not Ownership.OWN:
            problem = f"config {name} in the evaluator does not have this benchmark's mark any more"
        case RemoteConfig() if digest_of_config(benchmark, remote, tenancy) != benchmark.status.config_digest:
            problem = f"config {name} was changed in the evaluator and is being restored"
        case RemoteConfig():
            return None
    return BenchmarkUnusable(
        Reason.BENCHMARK_NOT_READY, f"NemoBenchmark {benchmark.metadata.name} is not ready: {problem}"
    )


def is_used_by(benchmark: NemoBenchmark, job: NemoEvalJob) -> bool:
    """Return whether a job that may be running refers to the benchmark's config by name."""
    ref, status = job.spec.benchmark_ref, job.status
    may_run = status.submission is not None and status.completion_time is None
    copied = carries_config(job, {source.target_path: "" for source in job.spec.values_from})
    return ref is not None and ref.name == benchmark.metadata.name and may_run and not copied
