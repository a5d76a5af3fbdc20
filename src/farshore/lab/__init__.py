"""The lab: a whole fabric with its hosts, in namespaces of its own on one machine."""
