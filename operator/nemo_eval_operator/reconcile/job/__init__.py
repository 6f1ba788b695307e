"""Reconciler of NemoEvalJobs."""
