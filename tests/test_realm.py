from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from farshore.realm import (
    INTERNET,
    LAKE,
    PROVIDER,
    RESERVED_TENANT_NAMES,
    Address,
    Prefix,
    Realm,
    RealmKind,
    tenant_realm,
)
from strategies import addresses, addresses_in, prefixes, realms

ALICE = Address(tenant_realm("customer-a"), IPv4Address("10.1.1.1"))
PORTAL = Address(PROVIDER, IPv4Address("10.1.1.1"))


def test_alices_indigo_address_is_not_the_portals_plum_one() -> None:
    assert ALICE != PORTAL
    assert len({ALICE, PORTAL, Address(tenant_realm("customer-a"), IPv4Address("10.1.1.1"))}) == 2


def test_tenants_are_apart_from_each_other_and_from_realms_of_the_same_name() -> None:
    assert tenant_realm("a") != tenant_realm("b")
    assert tenant_realm("a") == Realm(RealmKind.TENANT, "a")
    assert tenant_realm("lake") != LAKE
    assert frozenset(str(realm) for realm in (PROVIDER, LAKE, INTERNET)) == RESERVED_TENANT_NAMES


def test_how_they_are_written() -> None:
    assert str(ALICE) == "10.1.1.1 (customer-a)"
    assert str(Prefix(LAKE, IPv4Network("100.64.0.0/10"))) == "100.64.0.0/10 (lake)"


def test_a_prefix_holds_addresses_of_its_own_realm_only() -> None:
    office = Prefix(PROVIDER, IPv4Network("10.1.1.0/24"))
    assert PORTAL in office
    assert ALICE not in office
    assert Address(PROVIDER, IPv4Address("10.1.2.0")) not in office


@given(addresses(), addresses())
def test_the_prefix_of_an_address_holds_it_alone(one: Address, other: Address) -> None:
    assert one in Prefix.of(one)
    assert (other in Prefix.of(one)) == (other == one)


@given(prefixes(), realms, st.data())
def test_the_same_number_in_another_realm_is_outside(prefix: Prefix, realm: Realm, data: st.DataObject) -> None:
    address = data.draw(addresses_in(prefix))
    assert address in prefix
    assert (Address(realm, address.ip) in prefix) == (realm == prefix.realm)
