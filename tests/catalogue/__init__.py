"""Tests of the scripts that make the package's data."""
