"""The walk drawn: one picture of the request above the reply, as SVG."""
