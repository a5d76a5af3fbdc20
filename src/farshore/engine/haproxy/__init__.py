"""The engine of proxies: HAProxy's configuration, and an HAProxy in master-worker mode for each proxy."""
