"""A proxy that loses, delays and spoils chosen exchanges: what a bad network does, on demand.

Between the operator and an evaluator or an API server, in tests (`FaultProxy`) and by hand
(`python -m testbed.faults --help`). It knows HTTP and nothing of either API.
"""

from testbed.faults.exchange import Exchange, Moment, Observer
from testbed.faults.proxy import FaultProxy
from testbed.faults.rules import BadRule, Fault, Rule, parse_rule
from testbed.faults.upstream import Upstream, proxied_kubeconfig

__all__ = [
    "BadRule",
    "Exchange",
    "Fault",
    "FaultProxy",
    "Moment",
    "Observer",
    "Rule",
    "Upstream",
    "parse_rule",
    "proxied_kubeconfig",
]
