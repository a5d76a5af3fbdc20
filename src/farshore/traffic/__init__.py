"""Traffic: packets as bytes, capture, injection, and the servers that answer."""
