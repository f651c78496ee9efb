"""What developing and demonstrating needs: a local stack of real parts, never shipped."""
