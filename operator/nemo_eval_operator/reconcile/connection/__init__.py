"""Reconciler of NemoEvaluatorConnections."""
