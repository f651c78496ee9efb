"""The sources of events: LookupEvents, and files."""
