"""Measurements, run by hand: ``python -m tests.benchmarks.NAME``. Figures: docs/benchmarks.md."""
