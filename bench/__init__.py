"""What the loader costs, measured side by side in one run and written down."""
