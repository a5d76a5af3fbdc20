"""The semantics: what a box does to a packet, the one definition that walk, proof, lab and tests share."""
