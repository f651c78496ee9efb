"""Coverage: windows, cells and the ledger."""
