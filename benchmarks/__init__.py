"""Measurements of Serinus and of its peers in one run, as ratios; see docs/benchmarks.md."""
