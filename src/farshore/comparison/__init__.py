"""The designs side by side: who reaches what by each, what each costs, and what it cannot carry."""
