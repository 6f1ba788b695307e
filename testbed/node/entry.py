"""Becomes the node: enters cgroups of its own, then namespaces, whose first process is testbed.node.init.

    python -m testbed.node.entry LAYOUT

A second process outside removes the cgroups when the node has ended, in whatever way.
"""

import os
import sys

from testbed.node.cgroups import Cgroups
from testbed.node.obstacles import MOUNTS, NAMESPACES


def main() -> None:
    cgroups = Cgroups(os.getpid())
    cgroups.create()
    if os.fork() == 0:
        # A session of its own: it has to outlive what ends the node.
        os.setsid()
        cgroups.remove_at_end()
        os._exit(0)
    cgroups.enter()
    init = [sys.executable, "-m", "testbed.node.init", sys.argv[1]]
    os.execvp("unshare", ["unshare", *NAMESPACES, *MOUNTS, *init])  # noqa: S606, S607


if __name__ == "__main__":
    main()
