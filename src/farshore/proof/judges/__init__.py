"""The judges: what sets of packets may do, by the intent and its plan, held against what they do."""
