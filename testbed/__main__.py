"""`python -m testbed`: build now, in plain sight, what tests and demo would otherwise build later."""

import sys

from testbed.cluster import prepare
from testbed.helm import helm_command
from testbed.kstatus import KSTATUS
from testbed.notifications import NOTIFICATIONS
from testbed.processes import ProcessError, interrupt_on_sigterm
from testbed.prometheus import prometheus_command

if __name__ == "__main__":
    interrupt_on_sigterm()
    try:
        prepare()
        KSTATUS.built()
        NOTIFICATIONS.built()
        helm_command()
        prometheus_command()
    except ProcessError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
