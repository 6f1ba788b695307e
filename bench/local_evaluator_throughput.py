"""How fast the local evaluator is, measured on its real server: `python -m bench.local_evaluator_throughput`.

Three figures, each beside what it is to be compared with: seconds for a data task, model calls against an
endpoint that takes its time, and memory on a dataset that would not fit into it.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from bench.slow_endpoint import slow_endpoint
from testbed.processes import Processes
from testbed.stack import start_evaluator

ROWS: Final = 5_000
ROWS_TARGET_SECONDS: Final = 10
IN_FLIGHT: Final = 64
DELAY_SECONDS: Final = 0.5
CALLS: Final = 1_280
ROW_BYTES: Final = 16 * 1024
"""Of the large dataset: a question with its context."""
MIB: Final = 1024 * 1024
POLL_SECONDS: Final = 0.05

ANSWER: Final = "The quick brown fox jumps over the lazy dog, and the dog does not mind number {}."
REFERENCES: Final = {"references": ["{{item.reference}}"]}
METRICS: Final = {
    "check": {"type": "string-check", "params": {"check": ["{{item.output}}", "contains", "fox"]}},
    "em": {"type": "em", "params": REFERENCES},
    "f1": {"type": "f1", "params": REFERENCES},
    "bleu": {"type": "bleu", "params": REFERENCES},
    "rouge": {"type": "rouge", "params": REFERENCES},
}


@dataclass(frozen=True)
class Server:
    http: httpx.Client
    datasets: Path
    pid: int

    def seconds(self, config: Mapping[str, Any], target: Mapping[str, Any]) -> float:
        """From the request to the completed job."""
        start = time.perf_counter()
        response = self.http.post("/v1/evaluation/jobs", json={"config": config, "target": target})
        job = response.raise_for_status().json()
        while job["status"] not in {"completed", "failed"}:
            time.sleep(POLL_SECONDS)
            job = self.http.get(f"/v1/evaluation/jobs/{job['id']}").json()
        if job["status"] == "failed":
            raise SystemExit(job["status_details"]["message"])
        return time.perf_counter() - start

    def peak_mib(self) -> float:
        """Of the server's own process; Linux only."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--large", type=int, default=1024, metavar="MIB", help="size of the large dataset")
    arguments = parser.parse_args()
    measure_data_task()
    measure_parallel_calls()
    measure_memory(arguments.large)


def measure_data_task() -> None:
    with a_server() as server:
        (server.datasets / "rows.jsonl").write_text(
            "".join(
                json.dumps({"output": ANSWER.format(number), "reference": ANSWER.format(number // 2)}) + "\n"
                for number in range(ROWS)
            )
        )
        target = dataset_target("rows.jsonl")
        check = data_config({"check": METRICS["check"]})
        first = server.seconds(check, target)
        cheap = server.seconds(check, target)
        all_metrics = server.seconds(data_config(METRICS), target)
    print_row(f"{ROWS} rows, string-check, first job", f"{first:.1f} s", f"target {ROWS_TARGET_SECONDS} s")
    print_row(f"{ROWS} rows, string-check", f"{cheap:.1f} s", f"{ROWS / cheap:.0f} rows/s")
    print_row(
        f"{ROWS} rows, {', '.join(METRICS)}", f"{all_metrics:.1f} s", f"{ROWS / all_metrics:.0f} rows/s"
    )


def measure_parallel_calls() -> None:
    with slow_endpoint(delay=DELAY_SECONDS) as endpoint, a_server() as server:
        rows = "".join(json.dumps({"question": f"What is {number}?"}) + "\n" for number in range(CALLS))
        (server.datasets / "questions.jsonl").write_text(rows)
        (server.datasets / "few.jsonl").write_text(rows[: rows.index("\n") + 1])
        target = {"type": "model", "model": {"api_endpoint": {"url": endpoint.url, "model_id": "slow"}}}
        server.seconds(chat_config("few.jsonl"), target)  # workers are started by the first job
        seconds = server.seconds(chat_config("questions.jsonl"), target)
    ideal = CALLS * DELAY_SECONDS / IN_FLIGHT
    print_row(
        f"{CALLS} calls of {DELAY_SECONDS:g} s, {IN_FLIGHT} in flight",
        f"{seconds:.1f} s",
        f"ideal {ideal:.1f} s, ratio {seconds / ideal:.2f}",
    )
    print_row("requests at the endpoint at once", f"{endpoint.most_at_once}", f"wanted {IN_FLIGHT}")


def measure_memory(large_mib: int) -> None:
    peaks = []
    for size in (10, large_mib):
        # A server for each: a peak is that of a process's whole life.
        with a_server() as server:
            idle = server.peak_mib()
            write_large(server.datasets / "large.jsonl", size * MIB)
            seconds = server.seconds(data_config({"check": METRICS["check"]}), dataset_target("large.jsonl"))
            peaks.append(server.peak_mib())
        print_row(
            f"peak memory, dataset of {size} MiB",
            f"{peaks[-1]:.0f} MiB",
            f"{idle:.0f} MiB idle, {seconds:.0f} s",
        )
    print_row("ratio of the two", f"{peaks[1] / peaks[0]:.2f}", f"of the datasets {large_mib / 10:.0f}")


def write_large(path: Path, size: int) -> None:
    line = json.dumps({"output": "fox " * (ROW_BYTES // 4)}) + "\n"
    with path.open("w") as file:
        for _ in range(size // len(line)):
            file.write(line)


def data_config(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "custom", "tasks": {"rows": {"type": "data", "metrics": metrics}}}


def chat_config(name: str) -> dict[str, Any]:
    return {
        "type": "custom",
        "params": {"parallelism": IN_FLIGHT},
        "tasks": {
            "calls": {
                "type": "chat-completion",
                "dataset": {"files_url": f"file://{name}"},
                "params": {"template": {"messages": [{"role": "user", "content": "{{item.question}}"}]}},
                "metrics": {
                    "check": {
                        "type": "string-check",
                        "params": {"check": ["{{sample.output_text}}", "contains", "answer"]},
                    }
                },
            }
        },
    }


def dataset_target(name: str) -> dict[str, Any]:
    return {"type": "dataset", "dataset": {"files_url": f"file://{name}"}}


@contextmanager
def a_server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as home, Processes() as processes:
        workdir = Path(home)
        url = start_evaluator(processes, workdir, datasets=workdir)
        [child] = processes
        with httpx.Client(base_url=url, timeout=60) as http:
            yield Server(http, workdir, child.pid)


def print_row(what: str, measured: str, beside: str) -> None:
    print(f"{what:55} {measured:>10}   {beside}", flush=True)


if __name__ == "__main__":
    main()
