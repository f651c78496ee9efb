"""Indices: name patterns, index templates and mappings, and their set-up on a server."""
