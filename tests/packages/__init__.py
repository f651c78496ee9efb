"""Tests of the two ways to install, in their own environments: `make test-packages`."""
