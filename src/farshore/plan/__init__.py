"""The plan: the addresses of every host and service in every realm."""
