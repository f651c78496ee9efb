"""The pipeline of a cell: loads a staged window, and verifies that its figures add up."""
