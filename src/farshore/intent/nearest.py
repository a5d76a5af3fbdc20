"""The known word that an unknown one was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from itertools import islice

from farshore.intent.fault import shown

# Looking costs time that grows with the choices, and nobody reads so many suggestions.
_MOST_LOOKED_FOR = 200
_MOST_CHOICES = 2_000
_LONGEST_WORD = 126
_MOST_NAMED = 12


class Nearest:
    """Finds near words a bounded number of times; after that it only lists what there is."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        """Begin with all looks left."""
        self._left = _MOST_LOOKED_FOR

    def fix(self, unknown: str, choices: Collection[str], otherwise: str) -> str:
        """Return ``did you mean 'x'?``, or ``otherwise`` with the known words put in for ``{known}``."""
        if self._left and len(unknown) <= _LONGEST_WORD:
            self._left -= 1
            near = difflib.get_close_matches(unknown, islice(choices, _MOST_CHOICES), n=1)
            if near:
                return f"did you mean '{shown(near[0])}'?"
        named = ", ".join(shown(choice) for choice in islice(choices, _MOST_NAMED))
        return otherwise.replace("{known}", named + (", …" if len(choices) > _MOST_NAMED else ""))
