"""What the report of `make bench` says of a run."""

from collections.abc import Sequence

from bench.scale.bursts import Bursts
from bench.scale.measure import Figures, sweeps_of
from bench.scale.short_jobs import ShortJobs
from bench.scale.targets import as_table, targets
from testbed.processes import free_port

LIMIT = {"creates_per_second": 300.0, "status_patches_per_second": 480.0}


def report(
    *figures: Figures, short: Sequence[ShortJobs] = (), bursts: Sequence[Bursts] = ()
) -> dict[str, str]:
    """The table of targets: by its first column, whether the target was met."""
    rows = [
        line.strip("|").split("|")
        for line in as_table(targets(figures, short, bursts, LIMIT)).splitlines()[2:]
    ]
    return {row[0].strip(): row[3].strip() for row in rows}


def test_a_figure_that_was_not_reached_and_a_lost_job_are_targets_not_met() -> None:
    met = report(Figures("operator", 1000, single_submitted_p50=0.2, requests_per_sweep=26, lost=1))

    assert met["one job, idle: apply to submitted, p50 (s)"] == "yes"
    assert met["evaluator requests a sweep"] == "**no**"
    assert met["restart to steady (s)"] == "**no**"
    assert met["duplicates and losses"] == "**no**"


def test_submissions_are_held_against_the_api_servers_own_limit_of_four_writes_each() -> None:
    row = "1,000 at once: jobs submitted a second, against the API server's own limit"

    assert report(Figures("operator", 1000, drained_per_second=91))[row] == "yes"
    assert report(Figures("operator", 1000, drained_per_second=89))[row] != "yes"


def test_submissions_are_held_against_the_baseline_of_the_same_size() -> None:
    met = report(
        Figures("operator", 100, drained_per_second=50),
        Figures("baseline", 100, drained_per_second=49),
        Figures("operator", 1000, drained_per_second=50),
        Figures("baseline", 1000, drained_per_second=51),
        Figures("operator", 3000, drained_per_second=50),
        Figures("baseline", 3000),
        Figures("operator", 10000, drained_per_second=50),
    )

    row = "{} at once: jobs submitted a second, against the baseline's"
    assert met[row.format("100")] == "yes"
    assert met[row.format("1,000")] != "yes"
    assert met[row.format("3,000")] != "yes"
    assert row.format("10,000") not in met


def test_medians_of_bursts_in_turn_take_the_place_of_a_single_burst() -> None:
    figures = Figures("operator", 100, drained_per_second=50), Figures("baseline", 100, drained_per_second=60)
    ours, theirs = Bursts("operator", 100, [40.0, 61.0, 62.0]), Bursts("baseline", 100, [60.0, 70.0, 20.0])

    row = "100 at once: jobs submitted a second, against the baseline's"
    assert report(*figures)[row] != "yes"
    assert report(*figures, bursts=[ours, theirs])[row] == "yes"
    assert report(*figures, bursts=[Bursts("operator", 100), theirs])[row] != "yes"


def test_jobs_that_end_while_others_are_submitted_have_their_status_in_time() -> None:
    row = "3,000 at once, each for 60 s: finished to status, p99 (s)"
    ours, theirs = ShortJobs("operator", 3000, lag_p99=14), ShortJobs("baseline", 3000, lag_p99=50)

    assert report(Figures("operator", 100), short=[ours, theirs])[row] == "yes"
    assert report(Figures("operator", 100), short=[ShortJobs("operator", 3000, lag_p99=16)])[row] != "yes"


async def test_an_operator_that_does_not_answer_has_no_sweeps() -> None:
    assert not await sweeps_of(f"http://127.0.0.1:{free_port()}/healthz")


def test_growth_is_of_this_operator_from_one_size_to_the_next() -> None:
    met = report(
        Figures("operator", 100, cpu_per_1000_submitted=9, drained_per_second=60),
        Figures("baseline", 100, cpu_per_1000_submitted=1),
        Figures("operator", 1000, cpu_per_1000_submitted=10, drained_per_second=40),
        Figures("baseline", 1000, cpu_per_1000_submitted=50),
    )

    assert met["100 to 1,000 jobs: CPU a submission grows by"] == "yes"
    assert met["100 to 1,000 jobs: time a submission, all at once grows by"] == "**no**"
