"""Infrastructure of the process: leader election, probes, heartbeats, logs, metrics and backoff.

The modules are independent of each other and are imported one by one.
"""
