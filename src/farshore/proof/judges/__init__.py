"""The judges: sets of packets in the fabric, compared with the intent and its plan."""
