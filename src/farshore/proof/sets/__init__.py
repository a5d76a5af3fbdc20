"""Sets of packets: who sends, where to, and the intervals and tables that both are made of. Pure."""
