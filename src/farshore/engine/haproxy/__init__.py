"""The engine of proxies: HAProxy's configuration, and one supervised HAProxy process for each proxy."""
