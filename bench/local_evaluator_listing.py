"""How long one page of 100,000 jobs takes the local evaluator's storage.

Run: python bench/local_evaluator_listing.py
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nemo_local_evaluator.storage import Condition, Database, JobStore, Listing, Search, StoredJob
from nemo_local_evaluator.wire import identity
from nemo_local_evaluator.wire.schemas import Config, JobStatus, Target

BEGINNING = datetime(2026, 1, 1)  # noqa: DTZ001 - as the API writes times: naive UTC
STATUSES = (
    JobStatus.COMPLETED,
    JobStatus.COMPLETED,
    JobStatus.COMPLETED,
    JobStatus.FAILED,
    JobStatus.RUNNING,
)
CONFIGS = 100
REPEATS = 15


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=100_000)
    count = arguments.parse_args().jobs
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "evaluator.db"
        with closing(Database(path)) as database:
            store = JobStore(database)
            begun = time.perf_counter()
            _fill(database, store, count)
            print(f"{count:,} jobs written in {time.perf_counter() - begun:.0f} s")
        # A new connection, so that its cache is cold.
        with closing(Database(path)) as database:
            _measure(JobStore(database), count)


def _fill(database: Database, store: JobStore, count: int) -> None:
    for number in range(count):
        store.add(_job(number), {})
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _job(number: int) -> StoredJob:
    moment = identity.to_wire(BEGINNING + timedelta(seconds=number))
    common: dict[str, Any] = {"namespace": "bench", "created_at": moment, "updated_at": moment}
    config = Config(
        type="custom", name=f"config-{number % CONFIGS}", id=f"eval-config-{number % CONFIGS}", **common
    )
    target = Target(
        type="rows",
        rows=[{"question": "What is the capital of France?", "answer": "Paris"}] * 10,
        name=f"target-{number}",
        id=f"eval-target-{number}",
        **common,
    )
    return StoredJob(
        status=STATUSES[number % len(STATUSES)],
        status_details={"message": None, "task_status": {}, "progress": 100.0},
        result=None,
        updated_at=moment,
        document={
            **common,
            "id": f"eval-{number}",
            "project": None,
            "custom_fields": {"uid": f"uid-{number}", "team": f"team-{number % 10}"},
            "config": config.model_dump(mode="json"),
            "target": target.model_dump(mode="json"),
        },
    )


def _measure(store: JobStore, count: int) -> None:
    def equals(field: str, value: str, *path: str) -> dict[str, Any]:
        return {"conditions": (Condition(field=field, path=path, value=value),)}

    cases: Sequence[tuple[str, dict[str, Any]]] = [
        ("first page", {}),
        ("last page", {"last": True}),
        ("last page, oldest first", {"last": True, "sort": "created_at"}),
        ("by change", {"sort": "-updated_at"}),
        ("status=running (1 in 5)", equals("status", "running")),
        ("config=bench/config-7 (1 in 100)", equals("config", "bench/config-7")),
        ("custom_fields[uid] (one)", equals("custom_fields", "uid-777", "uid")),
        ("custom_fields[team] (1 in 10)", equals("custom_fields", "team-7", "team")),
        ("search[config]=config-7 (a scan)", {"searches": (Search(field="config", values=("config-7",)),)}),
    ]
    sizes = (10, 100, 1000)
    print(f"{'median of ' + str(REPEATS) + ', ms; page size':36}" + "".join(f"{size:>9}" for size in sizes))
    for name, query in cases:
        print(f"{name:36}" + "".join(f"{_median(store, count, size, **query):9.1f}" for size in sizes))


def _median(
    store: JobStore, count: int, size: int, *, last: bool = False, sort: Any = "-created_at", **query: Any
) -> float:
    listing = Listing(page=-(-count // size) if last else 1, page_size=size, sort=sort, **query)
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        store.list(listing)
        times.append(time.perf_counter() - begun)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()
