"""Services and tools for development and for the demo: a local stack of real programs. Never shipped."""
