"""The engine of proxies: HAProxy's configuration, and one HAProxy process under our supervision."""
