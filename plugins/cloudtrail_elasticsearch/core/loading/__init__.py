"""Loading: turns lines into documents, sends them, quarantines rejected events, and counts the held documents."""
