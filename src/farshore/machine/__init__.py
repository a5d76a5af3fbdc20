"""The machine: namespaces, kernel settings, and netlink. It depends on names and values, never on an intent."""
