"""The walk in words: numbered steps, their sentences, and the verdict."""
