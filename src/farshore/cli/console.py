"""How commands speak: colours mark realms, and everything reads without them."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from farshore.realm import Address, Prefix, Realm, RealmKind

PROVIDER_STYLE = "magenta"  # the article's plum
LAKE_STYLE = "cyan"
INTERNET_STYLE = "yellow"
# Indigo first, as Alice's; then colours that stay apart from it on dark and on light screens.
TENANT_STYLES = ("blue", "green", "red", "bright_blue", "bright_green", "bright_red")


class _Output(Console):
    """A console that leaves it to the program's entrance what a reader's going away means."""

    def on_broken_pipe(self) -> None:
        """Pass the news on instead of exiting with 1, which here means that the answer is no."""
        raise BrokenPipeError


def output() -> Console:
    """Return the console for what the user asked for. rich honours NO_COLOR and pipes by itself."""
    return _Output(highlight=False, soft_wrap=True)


def diagnostics() -> Console:
    """Return the console for progress and errors, on stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def realm_style(realm: Realm, tenant_names: tuple[str, ...] = ()) -> str:
    """Return the colour of a realm. Tenants take theirs in the order of ``tenant_names``."""
    match realm.kind:
        case RealmKind.PROVIDER:
            return PROVIDER_STYLE
        case RealmKind.LAKE:
            return LAKE_STYLE
        case RealmKind.INTERNET:
            return INTERNET_STYLE
        case RealmKind.TENANT:
            position = tenant_names.index(realm.name) if realm.name in tenant_names else 0
            return TENANT_STYLES[position % len(TENANT_STYLES)]


def coloured(value: Address | Prefix, tenant_names: tuple[str, ...] = ()) -> Text:
    """Return an address or prefix in the colour of its realm, without naming the realm."""
    text = str(value.ip) if isinstance(value, Address) else str(value.network)
    return Text(text, style=realm_style(value.realm, tenant_names))
