"""The rules and the declared fields, as data."""
