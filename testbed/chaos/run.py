"""A run: rounds in which the operator dies, then peace, then the comparison."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from testbed.chaos.ledger import Ledger
from testbed.chaos.objects import Objects, remote_jobs, remote_scores
from testbed.chaos.plan import Disturbance, Round, plan_round, rules_of
from testbed.chaos.report import Tally, round_line
from testbed.chaos.stage import CUT_OFF, SUSPENDED, SUSPENDED_SECONDS, Stage
from testbed.chaos.trap import Coverage, Trap
from testbed.chaos.verdict import Verdict, has_ended, judge
from testbed.chaos.workload import BENCHMARKS, KINDS, Act, Kind, manifest_of
from testbed.faults import Exchange, FaultProxy, Moment, Rule
from testbed.processes import ProcessError

__all__ = ["Run"]

_TICK_SECONDS: Final = 0.05
_QUIET_SECONDS: Final = 300  # more than the longest backoff of the operator, 120 s
_REST_SECONDS: Final = 5.0  # without a sign of work; a rerun asked for last may not have begun
_START_SECONDS: Final = 60  # in which a new operator makes its first request
_UNDISTURBED_SECONDS: Final = 1.0  # so that a cut comes upon an operator at work


@dataclass
class Run:
    """One run on a stage. `rounds` of them, then `conclude`."""

    stage: Stage
    objects: Objects
    tally: Tally
    ledger: Ledger = field(default_factory=Ledger)
    misses: Coverage = field(default_factory=Counter)
    _due: list[tuple[float, Act, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.tally.seed)  # noqa: S311 - guards nothing
        self.trap = Trap(self.stage.kill_operator)
        self.request_seen = threading.Event()
        for proxy in (self.stage.to_evaluator, self.stage.to_apiserver):
            proxy.observers += [self._note_request, self.ledger.observe, self.trap.observe]

    def rounds(self, number: int) -> None:
        for benchmark in BENCHMARKS:
            self.objects.create(benchmark)
        begun = time.monotonic()
        for count in range(1, number + 1):
            round_ = plan_round(self.dice, self.trap.coverage, self.misses)
            struck = self._play(round_)
            self.tally.rounds = count
            jobs = self.objects.jobs().values()
            finished = sum(_is_finished(job) for job in jobs)
            print(
                round_line(
                    count, number, round_, struck=struck, finished=finished, under_way=len(jobs) - finished
                ),
                flush=True,
            )
        self.tally.took_seconds = time.monotonic() - begun

    def conclude(self) -> Verdict:
        """Restart what is around the living operator once more; then peace, and the comparison at rest."""
        self._set_rules([], [])
        self._start_operator()
        self._restart("evaluator")
        self._restart("kube-apiserver")
        busy = self._until_quiet()
        self.tally.faults_struck = self.stage.to_evaluator.struck + self.stage.to_apiserver.struck
        tenant = self.stage.tenant
        self.tally.hostile_writes, self.tally.hostile_refused = tenant.tried, tenant.refused
        self.tally.hostile_connections = tenant.connections
        self.tally.hostile_answers = self.stage.hostile_evaluator.answered
        self.tally.longest_recovery_seconds = max(self.ledger.recoveries.values(), default=0.0)
        self.tally.slowest_submission_seconds = self.ledger.slowest_submission
        if busy:
            print(f"not quiet after {_QUIET_SECONDS} s: {', '.join(busy)}", flush=True)
        objects = self.objects.jobs()
        judged = [job["status"]["jobId"] for job in objects.values() if "gate" in job.get("status", {})]
        return judge(
            self.ledger,
            remote=remote_jobs(self.stage.evaluator_url, self.stage.namespace),
            objects=objects,
            config_maps=self.objects.config_maps(),
            scores=remote_scores(self.stage.evaluator_url, judged),
        )

    def _until_quiet(self) -> list[str]:
        """Wait until all objects are at rest for a while; return the names of those that are not in time."""
        begun = last_busy = time.monotonic()
        busy: list[str] = []
        while (now := time.monotonic()) - begun < _QUIET_SECONDS:
            if busy := self._busy():
                last_busy = now
            elif now - last_busy > _REST_SECONDS:
                break
            self._wait(1.0)
        self.tally.quiet_after_seconds = last_busy - begun
        return busy

    def _play(self, round_: Round) -> bool:
        """One round; True where the operator was killed at the spot that was planned."""
        self.tally.disturbances[round_.disturbance] += 1
        self._set_rules(*rules_of(round_))
        self.trap.arm(round_.spot)
        self._start_operator()
        for kind in round_.kinds:
            self._create(kind)
        self.stage.tenant.configs_exist = self.stage.tenant.configs_exist or self._has_configs()
        self.stage.tenant.act()
        self._wait(_START_SECONDS, until=self.request_seen)
        if not self.request_seen.is_set():
            msg = f"the operator has made no request in {_START_SECONDS} s"
            raise ProcessError(msg)
        self._disturb(round_)
        self._wait(round_.kill_after)
        struck = self.trap.struck.is_set()
        self.trap.arm(None)
        if struck:
            self.tally.kills_named += 1
        else:
            self.tally.kills_at_random += 1
            self.misses.update([round_.spot] if round_.spot else [])
            self.stage.kill_operator()
        self.ledger.disturb()
        self.stage.bury_operator()
        self.stage.check()
        time.sleep(round_.down_for)
        return struck

    def _disturb(self, round_: Round) -> None:
        match round_.disturbance:
            case Disturbance.EVALUATOR_CUT:
                self._cut(self.stage.to_evaluator, round_.cut_for)
            case Disturbance.APISERVER_CUT:
                self._cut(self.stage.to_apiserver, round_.cut_for)
            case Disturbance.EVALUATOR_RESTART:
                self._restart("evaluator")
            case Disturbance.APISERVER_RESTART:
                self._restart("kube-apiserver")
            case Disturbance.EVALUATOR_SUSPENDED:
                self._suspend_evaluator()
            case _:
                pass

    def _suspend_evaluator(self) -> None:
        """Let the evaluator stand still behind a gateway; then it goes on with the requests that it had."""
        with self._fault(), self.stage.suspended("evaluator"):
            with _rules(self.stage.to_evaluator, SUSPENDED):
                # Its submission is one of the requests that the evaluator goes on with.
                self._create(KINDS[0])
                self._wait(SUSPENDED_SECONDS)
            self.ledger.evaluator_resumes()

    def _cut(self, proxy: FaultProxy, seconds: float) -> None:
        with self._fault(), _rules(proxy, CUT_OFF):
            proxy.disable()
            self._wait(seconds)

    def _restart(self, part: str) -> None:
        with self._fault():
            self.stage.restart(part)

    @contextmanager
    def _fault(self) -> Iterator[None]:
        """A fault that comes upon an operator at work; recovery is counted from its end."""
        self._wait(_UNDISTURBED_SECONDS)
        self.ledger.disturb()
        yield
        self.ledger.fault_ended()

    def _start_operator(self) -> None:
        self.request_seen.clear()
        self.stage.start_operator()
        self.ledger.fault_ended()

    def _set_rules(self, to_evaluator: list[Rule], to_apiserver: list[Rule]) -> None:
        self.stage.to_evaluator.rules = to_evaluator
        self.stage.to_apiserver.rules = to_apiserver

    def _create(self, kind: Kind) -> None:
        self.tally.objects_created += 1
        manifest = manifest_of(kind, self.tally.objects_created)
        self.objects.create(manifest)
        if kind.act is not Act.NOTHING:
            self._due.append((time.monotonic() + kind.after, kind.act, manifest["metadata"]["name"]))

    def _note_request(self, _exchange: Exchange, _moment: Moment) -> bool:
        self.request_seen.set()
        return False

    def _wait(self, seconds: float, *, until: threading.Event | None = None) -> None:
        """Do meanwhile what is due; ends at once when the trap has struck, or when `until` happens."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.trap.struck.is_set():
            if until is not None and until.is_set():
                return
            for entry in [entry for entry in self._due if entry[0] <= time.monotonic()]:
                self._due.remove(entry)
                self.objects.act(entry[1], entry[2])
            if self.stage.operator_ended_by_itself():
                self.tally.operator_exits += 1
                self.stage.bury_operator()
                self._start_operator()
            time.sleep(_TICK_SECONDS)

    def _has_configs(self) -> bool:
        return all("config" in found.get("status", {}) for found in self.objects.benchmarks().values())

    def _busy(self) -> list[str]:
        """Names of what is not at rest: objects, and what is still to be done to some."""
        jobs = self.objects.jobs()
        return [
            *(name for name, job in jobs.items() if not _is_finished(job)),
            *(name for _, _, name in self._due),
        ]


@contextmanager
def _rules(proxy: FaultProxy, rules: Sequence[Rule]) -> Iterator[None]:
    """Let these rules apply in place of those of the round."""
    before, proxy.rules = proxy.rules, rules
    yield
    proxy.rules = before


def _is_finished(job: dict[str, Any]) -> bool:
    return has_ended(job) and "deletionTimestamp" not in job["metadata"]
