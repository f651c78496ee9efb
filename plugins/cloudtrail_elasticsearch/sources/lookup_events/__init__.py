"""LookupEvents: the source that pages through the events of the last 90 days, within a quota."""
