"""The semantics: what a device does to a packet, the one definition for walk, proof, lab and tests."""
