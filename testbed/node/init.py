"""The first process of the node's namespaces: starts all others, and collects those that lose their parent.

    python -m testbed.node.init LAYOUT

It ends with the node: the kernel then ends every process that is left in the namespaces.
"""

import os
import sys
from pathlib import Path

from testbed.node.kubernetes import start_kubernetes
from testbed.node.layout import Layout
from testbed.node.machine import prepare_machine
from testbed.node.runtime import importing, start_runtime
from testbed.processes import Processes


def main() -> None:
    layout = Layout.of_json(Path(sys.argv[1]).read_text())
    os.environ["PATH"] = layout.path
    prepare_machine(layout)
    with Processes() as processes:
        start_runtime(processes, layout)
        with importing(layout.images):
            start_kubernetes(processes, layout)
        layout.up.touch()
        while True:
            _collect(processes)


def _collect(processes: Processes) -> None:
    """Wait until a process ends; raises ProcessError if it is one that the node needs."""
    ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    if ended is not None and ended.si_pid in {child.pid for child in processes}:
        processes.check()
    elif ended is not None:
        os.waitpid(ended.si_pid, 0)


if __name__ == "__main__":
    main()
