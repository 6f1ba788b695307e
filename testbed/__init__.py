"""A whole stack on one machine, as real processes: what the tests, the demo and the benchmarks run against.

A Kubernetes API (`cluster`), an evaluator and the operator (`stack`), a language model (`model`). The
operator imports nothing of this, and nothing here fakes a part that can be real.
"""
