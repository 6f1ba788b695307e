"""The command line, and the end of every part."""

import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Annotated

import httpx
import typer

from testbed.chaos.objects import Objects
from testbed.chaos.report import Tally, report, write_json
from testbed.chaos.run import Run
from testbed.chaos.stage import Stage
from testbed.cluster import prepare
from testbed.processes import ProcessError, interrupt_on_sigterm

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="How often the operator is killed.")] = 200,
    seed: Annotated[int, typer.Option(help="Makes the plan repeatable.")] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="Write the outcome here too.")
    ] = None,
    workdir: Annotated[
        Path | None, typer.Option(file_okay=False, help="Keep data and logs here; else they are thrown away.")
    ] = None,
) -> None:
    """Kill the operator again and again, and compare what the evaluator ran with what the objects say.

    Exit code 0 only if every attempt had at most one remote job, no result was lost, and every object came
    to its end.
    """
    interrupt_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="nemo-chaos-") as temporary:
        try:
            sys.exit(_run(workdir or Path(temporary), rounds, seed, json_file))
        except (ProcessError, httpx.HTTPError, subprocess.SubprocessError) as error:
            sys.exit(f"chaos could not go on: {error}")
        except KeyboardInterrupt:
            sys.exit(130)


def _run(workdir: Path, rounds: int, seed: int, json_file: Path | None) -> int:
    prepare()
    workdir.mkdir(parents=True, exist_ok=True)
    namespace = f"chaos-{uuid.uuid4().hex[:8]}"
    with Stage.set_up(workdir, namespace=namespace, seed=seed) as stage:
        run = Run(stage, Objects(stage.cluster.kubeconfig, namespace), Tally(seed=seed))
        run.rounds(rounds)
        print("peace: waiting until everything has come to rest", flush=True)
        verdict = run.conclude()
    print(report(verdict, run.tally, run.trap.coverage), flush=True)
    if json_file is not None:
        write_json(json_file, verdict, run.tally, run.trap.coverage)
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    app()
