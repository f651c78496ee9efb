"""Documents: from an event to the document that is indexed for it, and back."""
