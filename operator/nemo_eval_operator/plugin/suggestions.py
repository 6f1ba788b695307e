"""Commands to copy, which messages of the plugin suggest: pure, from a reason and the object that has it.

They name the namespace, since that of the reader's shell may be another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import NemoEvalJob

from .exit_codes import ExitCode
from .outcome import ending_of, gate_condition

__all__ = ["after_ending", "command", "commands_for"]


def command(verb: str, job: NemoEvalJob, *options: str) -> str:
    """Return a command of the plugin for one run."""
    return " ".join(("kubectl nemoeval", verb, job.metadata.name, *options, *_where(job)))


def _where(job: NemoEvalJob) -> tuple[str, str]:
    return "-n", job.metadata.namespace


def _list(kind: str) -> Callable[[NemoEvalJob], tuple[str, ...]]:
    return lambda job: (" ".join(("kubectl get", kind, *_where(job))),)


def _plugin(*verbs: str) -> Callable[[NemoEvalJob], tuple[str, ...]]:
    return lambda job: tuple(command(verb, job) for verb in verbs)


def _benchmark(job: NemoEvalJob) -> tuple[str, ...]:
    ref = job.spec.benchmark_ref
    return (" ".join(("kubectl describe nemobenchmark", ref.name, *_where(job))),) if ref else ()


def _rerun(job: NemoEvalJob) -> tuple[str, ...]:
    """A run that spec.cancel has ended cannot be run again."""
    return () if job.spec.cancel else (command("rerun", job),)


def _rejected(job: NemoEvalJob) -> tuple[str, ...]:
    """Another model or target may be needed; the same one is refused again unless something was changed."""
    other = ("-m", "MODEL") if job.spec.model else ("--target", "FILE")
    return (command("run --like", job, *other), *_rerun(job))


def _failed(job: NemoEvalJob) -> tuple[str, ...]:
    logs = (command("logs", job),) if job.status.job_id else ()
    return (*logs, *_rerun(job))


def _gate(job: NemoEvalJob) -> tuple[str, ...]:
    """Return what shows why a gate did not pass: the comparison, or the worst items without a baseline."""
    used = job.status.gate.baseline if job.status.gate else None
    if used is None:
        return (command("rows", job, "--worst", "10"),) if job.status.results_ref else ()
    pair = f"{used.name} {job.metadata.name}"
    where = " ".join(_where(job))
    return (
        f"kubectl nemoeval compare {pair} {where}",
        f"kubectl nemoeval report {pair} -o report.html {where}",
    )


CONNECTIONS: Final = _list("nemoevaluatorconnections")

COMMANDS: Final[Mapping[Reason, Callable[[NemoEvalJob], tuple[str, ...]]]] = {
    Reason.SUSPENDED: _plugin("resume"),
    Reason.BENCHMARK_NOT_FOUND: _list("nemobenchmarks"),
    Reason.BENCHMARK_NOT_READY: _benchmark,
    Reason.CONFIG_MAP_NOT_FOUND: _list("configmaps"),
    Reason.SECRET_NOT_FOUND: _list("secrets"),
    Reason.CONNECTION_NOT_FOUND: CONNECTIONS,
    Reason.CONNECTION_NOT_READY: CONNECTIONS,
    Reason.EVALUATION_FAILED: _failed,
    Reason.EVALUATOR_REJECTED: _rejected,
    Reason.BACKOFF_LIMIT_EXCEEDED: _failed,
    Reason.EXTERNAL_JOB_LOST: _rerun,
    Reason.GATE_FAILED: _gate,
    Reason.GATE_INCONCLUSIVE: _gate,
}
"""Commands by the reason that a job, or what it refers to, shows."""


def commands_for(reason: str, job: NemoEvalJob) -> tuple[str, ...]:
    """Return the commands to copy for a reason in the way of the run; empty where none helps."""
    known = Reason.read(reason)
    make = COMMANDS.get(known) if known else None
    return make(job) if make else ()


def after_ending(job: NemoEvalJob) -> tuple[str, ...]:
    """Return the next steps where the run has ended, and neither as it should nor by spec.cancel."""
    ending = ending_of(job)
    if ending is None or ending.code is ExitCode.PASSED or job.spec.cancel:
        return ()
    shown = _gate(job) if gate_condition(job) else ()
    return shown or (command("why", job),)
