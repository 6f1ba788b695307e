"""`python -m testbed.chaos`: whether the two laws hold while everything breaks.

Real parts, with a fault proxy on either side of the operator. The proxies see every request that it makes, so
that it can be killed at any step of its protocol without a test hook inside it, and they keep the ledger
that the objects are judged by.
"""
