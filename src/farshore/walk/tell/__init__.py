"""The walk told: numbered steps, their sentences, and what the whole came to."""
