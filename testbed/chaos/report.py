"""What is printed: a line a round, and at the end the coverage, the counts and what is wrong."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from testbed.chaos.plan import Disturbance, Round
from testbed.chaos.steps import Step
from testbed.chaos.trap import MOMENT_NAMES, Coverage
from testbed.chaos.verdict import Verdict

__all__ = ["Tally", "report", "round_line", "write_json"]


@dataclass
class Tally:
    """What was done to the parts, and how long things took."""

    seed: int
    rounds: int = 0
    kills_named: int = 0
    kills_at_random: int = 0
    operator_exits: int = 0
    faults_struck: int = 0
    objects_created: int = 0
    hostile_writes: int = 0
    hostile_refused: int = 0
    hostile_connections: int = 0
    hostile_answers: int = 0
    disturbances: Counter[Disturbance] = field(default_factory=Counter)
    longest_recovery_seconds: float = 0.0
    slowest_submission_seconds: float = 0.0
    quiet_after_seconds: float = 0.0
    took_seconds: float = 0.0


def round_line(number: int, total: int, round_: Round, *, struck: bool, finished: int, under_way: int) -> str:
    if round_.spot and struck:
        where = f"{round_.spot[0].value}, {MOMENT_NAMES[round_.spot[1]]}"
    else:
        where = "at random"
    done = f"{finished} finished, {under_way} under way"
    return f"{number:4}/{total}  killed: {where:36}  {round_.disturbance.value:18}  {done}"


def report(verdict: Verdict, tally: Tally, coverage: Coverage) -> str:
    return "\n".join([*_coverage_lines(coverage), "", *_count_lines(verdict, tally), *_fault_lines(verdict)])


def write_json(path: Path, verdict: Verdict, tally: Tally, coverage: Coverage) -> None:
    kills = {f"{step.value}, {MOMENT_NAMES[moment]}": count for (step, moment), count in coverage.items()}
    document = {
        "good": verdict.is_good,
        **vars(verdict),
        "jobs_an_attempt": verdict.jobs_an_attempt,
        **vars(tally),
        "kills_at_steps": kills,
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _coverage_lines(coverage: Coverage) -> Iterator[str]:
    yield f"{'operator killed at':20}" + "".join(f"{name:>20}" for name in MOMENT_NAMES.values())
    for step in Step:
        yield f"{step.value:20}" + "".join(f"{coverage[step, moment]:20}" for moment in MOMENT_NAMES)


def _count_lines(verdict: Verdict, tally: Tally) -> Iterator[str]:
    kills = tally.kills_named + tally.kills_at_random
    named = f"{tally.kills_named} at a named step, {tally.kills_at_random} at random"
    others = ", ".join(
        f"{what.value} {count}"
        for what, count in sorted(tally.disturbances.items())
        if what is not Disturbance.NONE
    )
    yield f"seed              {tally.seed}"
    yield f"rounds            {tally.rounds} in {tally.took_seconds / 60:.1f} min"
    yield f"operator killed   {kills} ({named}), ended by itself {tally.operator_exits}"
    yield f"faults            {tally.faults_struck} requests struck; rounds: {others}"
    yield (
        f"hostile tenant    {tally.hostile_writes} writes ({tally.hostile_refused} refused), "
        f"{tally.hostile_connections} connections"
    )
    yield f"hostile evaluator {tally.hostile_answers} requests answered"
    yield f"objects           {tally.objects_created}"
    yield f"attempts          {verdict.attempts}, {verdict.attempts_with_job} with a remote job"
    yield f"remote jobs       {verdict.remote_jobs}, {verdict.jobs_an_attempt:.2f} an attempt"
    yield f"adopted           {verdict.adopted} whose answer was lost"
    yield f"duplicates        {len(verdict.duplicates)}, of which cancelled {verdict.duplicates_cancelled}"
    yield f"lost results      {len(verdict.lost)}"
    yield f"stuck objects     {len(verdict.stuck)}"
    yield f"contradicted      {len(verdict.contradicted)}"
    yield f"misjudged         {len(verdict.misjudged)}"
    yield f"left running      {len(verdict.left_running)}"
    yield f"longest recovery  {tally.longest_recovery_seconds:.1f} s"
    yield f"slowest POST      {tally.slowest_submission_seconds:.1f} s"
    yield f"quiet after       {tally.quiet_after_seconds:.1f} s"


def _fault_lines(verdict: Verdict) -> Iterator[str]:
    for what in ("duplicates", "lost", "stuck", "contradicted", "misjudged", "left_running"):
        if names := getattr(verdict, what):
            yield f"{what}: {', '.join(names)}"
