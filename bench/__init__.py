"""Benchmarks: the cost of the loader, measured as ratios of two things in one run."""
