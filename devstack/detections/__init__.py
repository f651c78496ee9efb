"""Detection rules of others on real servers, compared with an evaluation of the same rules on the raw events."""
