"""Commands in messages. They name the namespace, since that of the reader's shell may be another."""

from __future__ import annotations

from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob

from .ownership import ADOPT_ANNOTATION, RERUN_ANNOTATION

__all__ = ["adopt_command", "rerun_command"]


def rerun_command(job: NemoEvalJob) -> str:
    """Start another attempt of a job that has ended."""
    meta = job.metadata
    return (
        f"kubectl annotate --overwrite -n {meta.namespace} nemoevaljob {meta.name} "
        f'{RERUN_ANNOTATION}="$(date +%s)"'
    )


def adopt_command(benchmark: NemoBenchmark) -> str:
    """Let a benchmark take over a config that is not its own."""
    meta = benchmark.metadata
    return f"kubectl annotate -n {meta.namespace} nemobenchmark {meta.name} {ADOPT_ANNOTATION}=true"
