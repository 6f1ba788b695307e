"""Reconciler of NemoBenchmarks and of their configs in the evaluator."""
