"""The designs side by side: reachability, costs, and what a design cannot carry."""
