"""kstatus, the library by which Flux waits, as a small program of ours: what it makes of live objects."""

import subprocess
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from testbed.cluster import Cluster
from testbed.go_programs import GoProgram

__all__ = ["KSTATUS", "Verdict", "verdicts"]

_VERSION: Final = "v0.37.2"  # of sigs.k8s.io/cli-utils in tests/programs/go.mod

KSTATUS: Final = GoProgram(
    name="kstatus",
    package="./kstatus",
    announcement=f"Building a reader of kstatus {_VERSION} from tests/programs: about half a minute, once.",
    instead="The tests ask the library by which Flux waits, and there is no Go to build it with: install Go.",
)


class Verdict(BaseModel):
    """What kstatus says of an object, and the object that it saw: None where there is none."""

    object: dict[str, Any] | None
    status: str
    message: str


_verdicts = TypeAdapter(list[Verdict])


def verdicts(cluster: Cluster, namespace: str, *names: str) -> list[Verdict]:
    """What kstatus makes of the objects PLURAL/NAME now, in their order."""
    argv = [str(KSTATUS.built()), "--kubeconfig", str(cluster.kubeconfig), "--namespace", namespace, *names]
    asked = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if asked.returncode != 0:
        raise AssertionError(asked.stderr)
    return _verdicts.validate_json(asked.stdout)
