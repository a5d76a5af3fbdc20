"""Marks of realms: a colour and a letter each, so that an address says where it stands on any screen."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from farshore.cli.columns import Cell, cell
from farshore.cli.console import realm_style
from farshore.realm import INTERNET, LAKE, PROVIDER, Address, Realm, RealmKind

_LETTERS = {PROVIDER: "P", LAKE: "L", INTERNET: "I"}
_TENANT_LETTERS = "ABCDEFGHJKMNOQRSTUVWXYZ"  # the others are taken


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks for these tenants; they take colours and letters in this order."""

    tenant_names: tuple[str, ...]

    def letter(self, realm: Realm) -> str:
        """Return the letter of a realm, with a number where there are more tenants than letters."""
        if realm.kind is not RealmKind.TENANT:
            return _LETTERS[realm]
        turn, position = divmod(self.tenant_names.index(realm.name), len(_TENANT_LETTERS))
        return _TENANT_LETTERS[position] + (str(turn + 1) if turn else "")

    def style(self, realm: Realm) -> str:
        """Return the colour of a realm."""
        return realm_style(realm, self.tenant_names)

    def label(self, address: Address) -> str:
        """Return ``10.1.1.1 A``."""
        return f"{address.ip} {self.letter(address.realm)}"

    def cell(self, address: Address) -> Cell:
        """Return a label as a cell of a table."""
        return cell(self.label(address), self.style(address.realm))

    def text(self, address: Address) -> Text:
        """Return a label as text."""
        return Text(self.label(address), self.style(address.realm))

    def legend(self, realms: tuple[Realm, ...]) -> Text:
        """Return what the letters of these realms stand for."""
        parts = [Text(f"{self.letter(realm)} {realm}", self.style(realm)) for realm in realms]
        return Text("   ").join(parts)
