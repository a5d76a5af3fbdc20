"""Tunnels that the kernel makes in every namespace stay, for it lets nobody remove them; all that is asked is: down."""

from __future__ import annotations

import pytest

from farshore.machine.foreign import Kind
from farshore.machine.interfaces import ListedLink, is_fallback, raised_fallbacks


def link(name: str, kind: str, flags: int = 0) -> ListedLink:
    return ListedLink(name, 3, "", 1480, flags, kind, None, None, "", {}, None, (), asleep=False)


@pytest.mark.parametrize(("name", "kind"), [("tunl0", "ipip"), ("sit0", "sit"), ("gretap0", "gretap")])
def test_a_tunnel_of_the_kernel_is_left_while_it_is_down(name: str, kind: str) -> None:
    assert is_fallback(link(name, kind))
    assert list(raised_fallbacks([link(name, kind)])) == []
    (raised,) = raised_fallbacks([link(name, kind, flags=1)])
    assert (raised.kind, raised.interface) == (Kind.TUNNEL, name)


@pytest.mark.parametrize(("name", "kind"), [("tunl1", "ipip"), ("tunl0", "veth"), ("sit0", "bridge")])
def test_what_others_name_alike_is_none(name: str, kind: str) -> None:
    assert not is_fallback(link(name, kind))
    assert list(raised_fallbacks([link(name, kind, flags=1)])) == []
