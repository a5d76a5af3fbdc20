"""The machine: namespaces, kernel settings, and netlink. It knows names and values, never an intent."""
