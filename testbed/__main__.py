"""`python -m testbed`: build now, in plain sight, what tests and demo would otherwise build later."""

import sys

from testbed.cluster import prepare
from testbed.processes import ProcessError, interrupt_on_sigterm

if __name__ == "__main__":
    interrupt_on_sigterm()
    try:
        prepare()
    except ProcessError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
