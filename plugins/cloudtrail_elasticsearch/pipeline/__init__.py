"""A cell's work: fetch a window to staging, load what is staged, and say how the figures add up."""
