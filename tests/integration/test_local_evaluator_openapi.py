"""Requests that /openapi.json allows, and many that it does not, against the real server process."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import settings

from nemo_local_evaluator.app import create_app
from nemo_local_evaluator.settings import Settings

EXAMPLES = 25
"""Of requests to each operation, beside those for its edges."""

# No chains of requests: what they draw depends on answers, and these on all that was asked before, so that no
# seed makes them come out the same twice.
BOUNDED = settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)

# Every check is on, but for these operations. Whether they accept what the schema allows depends on what is
# stored or reached: a patch on what it changes, a job on configs, targets, datasets, models that exist.
DEPENDING: list[dict[str, Any]] = [
    {"include-method": "PATCH"},
    {"include-path": ["/v1/evaluation/jobs", "/v1/evaluation/live"]},
]
CONFIG = schemathesis.Config.from_dict(
    {
        "operations": [
            which | {"checks": {"positive_data_acceptance": {"enabled": False}}} for which in DEPENDING
        ]
    }
)

schema = schemathesis.openapi.from_dict(create_app(Settings(data=Path())).openapi(), config=CONFIG)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = tmp_path_factory.mktemp("evaluator")
    command = [sys.executable, "-m", "nemo_local_evaluator", "serve", "--data", str(data), "--port", "0"]
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        listening = (re.search(r"running on (http://\S+)", line) for line in process.stderr)
        found = next(match[1] for match in listening if match)
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        yield found
        process.terminate()
        process.wait(10)
        drain.join()


@schema.parametrize()
@BOUNDED
def test_answers_are_as_the_document_says(case: schemathesis.Case[Any], address: str) -> None:
    case.call_and_validate(base_url=address)
