"""Engines: they run a fabric on a machine."""

import logging

# A library writes to no terminal by itself: whoever runs it attaches a handler.
logging.getLogger(__name__).addHandler(logging.NullHandler())
