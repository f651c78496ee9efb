"""JSON, exactly: values, tokens, and values that stay text."""
