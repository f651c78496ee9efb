"""Search: requests to a search server, and its answers."""
