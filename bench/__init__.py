"""Measurements: run by hand, printed as ratios taken side by side, never asserted by tests."""
