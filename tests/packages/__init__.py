"""The two ways of installing, in environments of their own: `make test-packages`."""
