"""The progress of long work as named events, which a caller may override."""

from __future__ import annotations


class Reporter:
    """Receives the progress of work. Every event does nothing here; a terminal, a log or a test overrides some.

    Work is one thing at a time: ``started`` once, ``advanced`` any number of times, ``finished`` once unless the
    work ends in an error.
    """

    def started(self, work: str) -> None:
        """Work has begun. ``work`` is a noun, such as "proof" or "lab"."""

    def advanced(self, done: int, total: int, item: str = "") -> None:
        """``done`` steps of ``total`` are done. ``item`` is what is at hand, such as a node or a tenant."""

    def finished(self, work: str) -> None:
        """All steps of the work are done."""


SILENT = Reporter()  # has no state, so that one serves everybody
