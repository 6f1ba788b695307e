"""What keeps the process running: leader election, probes, heartbeats, logs, metrics and backoff.

The modules are independent of each other and are imported one by one.
"""
