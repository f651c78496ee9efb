"""Tests of what makes the package's data."""
