"""The proof: every packet at once, that everyone reaches what they should and nothing else."""
