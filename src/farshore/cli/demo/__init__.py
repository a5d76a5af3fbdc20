"""The demo: its case, what was found in the lab, the picture and the story."""
