"""The proof of a trail: its layout, digests, signatures, chains and verdicts."""
