"""The demo: its case, the findings in the lab, the picture and the text."""
