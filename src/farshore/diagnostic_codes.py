"""The registry of diagnostic codes: one for each kind of fault that an input can have.

A code is stable: scripts, tickets and searches refer to it. A kind of fault that goes takes its code with it,
and a new one takes the next free number of its group. docs/diagnostics.md is written from this registry.
"""

from __future__ import annotations

from enum import Enum, StrEnum


class CodeGroup(StrEnum):
    """What a fault is about: the first two digits of its code, as a heading."""

    REPORT = "The report itself"
    READING = "Reading the file"
    VALUES = "Keys and values"
    COLLISIONS = "Collisions of addresses and names"
    CAPABILITIES = "Capabilities of designs"
    ALLOCATION = "Allocation of addresses"


class DiagnosticCode(Enum):
    """The kinds of faults, each a code (``E`` stops the work, ``W`` warns) and its meaning in one sentence."""

    MORE_FOLLOW = "E0001", "The file has more faults than are shown at once."

    UNREADABLE = "E0101", "The operating system cannot read the file."
    NOT_A_REGULAR_FILE = "E0102", "The path is a directory, a pipe or a device, not a file."
    FILE_TOO_LARGE = "E0103", "The input is larger than 32 MiB."
    NOT_UTF_8 = "E0104", "The input is not text in UTF-8."
    UNFIT_CHARACTER = "E0105", "The text contains a character that YAML does not allow."
    NO_MAPPING = "E0106", "The input is empty, or its top level is not a mapping."
    SYNTAX = "E0107", "The text is not well-formed YAML."
    SECOND_DOCUMENT = "E0108", "The input contains more than one YAML document."
    REFERENCE = "E0109", "YAML anchors, aliases and merge keys are not supported."
    TAG = "E0110", "YAML tags are not supported."
    DUPLICATE_KEY = "E0111", "A mapping contains a key twice."
    KEY_NOT_A_WORD = "E0112", "The key of a mapping is a list or a mapping."
    KEY_TOO_LONG = "E0113", "A key has more than 1,024 characters."
    TOO_DEEP = "E0114", "Values are nested more than 16 levels deep."
    TOO_MANY_VALUES = "E0115", "The input contains more than 1,000,000 values."

    MISSING_KEY = "E0201", "A required key is missing."
    UNKNOWN_KEY = "E0202", "A key is unknown in its mapping."
    MISSING_VALUE = "E0203", "A key has no value."
    WRONG_TYPE = "E0204", "A value is a list, a mapping or a single value where another of these is expected."
    EMPTY = "E0205", "A list or a mapping is empty and needs at least one entry."
    UNSUPPORTED_VERSION = "E0206", "The version of the intent format is not supported."
    BAD_NAME = "E0207", "A name is not one lower-case DNS label."
    RESERVED_NAME = "E0208", "A name is reserved for farshore's own nodes and realms."
    BAD_DOMAIN_NAME = "E0209", "A domain name is malformed."
    BAD_PREFIX = "E0210", "A value is not an IPv4 prefix."
    HOST_BITS = "E0211", "A prefix has host bits set."
    BAD_ADDRESS = "E0212", "A value is not an IPv4 address."
    SPECIAL_PURPOSE = (
        "E0213",
        "An address or a prefix is special-purpose (RFC 6890) or multicast, and no host can use it.",
    )
    PRIVATE_INTERNET_ADDRESS = "E0214", "An Internet address is private (RFC 1918)."
    BAD_PORT = "E0215", "A value is not a port of the form tcp/N, udp/N or icmp."
    PORT_OUT_OF_RANGE = "E0216", "A port number is not in the range from 1 to 65535."
    BAD_NUMBER = "E0217", "A value is not a decimal whole number."
    NUMBER_OUT_OF_RANGE = "E0218", "A number is out of its range."
    BAD_SOURCE_MODE = "E0219", "A source mode is none of prefix, host and pool."
    BAD_PROVIDER_SOURCE = "E0220", "The provider's source is neither keep nor a list of prefixes."
    UNKNOWN_DESIGN = "E0221", "A design is unknown."
    UNSUITABLE_DESIGN = "E0222", "A design is not available at this key."
    BAD_PROXY_PROTOCOL = "E0223", "A version of the PROXY protocol cannot name the tenant."
    CONFLICTING_KEYS = "E0224", "Two keys exclude each other."
    BAD_KEY_FILE = "E0225", "A value cannot be the path of a key file."
    BAD_TRUTH_VALUE = "E0226", "A value is neither true nor false."

    OVERLAPPING_NETWORKS = "E0301", "Two networks of one realm overlap."
    LAKE_OVERLAP = "E0302", "The lake overlaps addresses that are in use."
    OUTSIDE_NETWORKS = "E0303", "An address is outside the networks of its owner."
    END_OF_NETWORK = "E0304", "An address is the network or broadcast address of its network."
    DUPLICATE_ADDRESS = "E0305", "An address is assigned twice."
    DUPLICATE_NAME = "E0306", "A name is assigned twice."
    DUPLICATE_ENTRY = "E0307", "A list contains an entry twice."
    INSIDE_SOURCE = "E0308", "A service or a host has an address in the provider's source."
    INTERNET_ADDRESS_IN_USE = "E0309", "An Internet address is in use inside the provider."
    CALLER_UNKNOWN_TO_INTERNET = "E0310", "A service that expects the caller's identity is published to the Internet."
    UNKNOWN_SERVICE = "E0311", "A tenant uses a service that does not exist."
    UNKNOWN_TENANT = "E0312", "The provider calls a tenant that does not exist."
    STRAY_SOURCE = "E0313", "A source mode is set for a network that the tenant does not have."
    NO_PRESENTED_RANGE = "E0314", "A tenant needs a range of presented addresses and has none."
    PRESENTED_OVERLAP = "E0315", "A tenant's presented range overlaps its own networks."
    PRESENTED_TOO_SMALL = "E0316", "A tenant's presented range has fewer addresses than the tenant has services."
    PINNED_OUTSIDE = "E0317", "A pinned address is outside the tenant's presented range."
    NO_LISTED_HOST = "E0318", "A network has the source mode host and no listed host."
    POOLED_NETWORK_TOO_LARGE = "E0319", "A network is too large for a pool."
    POOL_TOO_LARGE = "E0320", "A pool has more addresses than its network."
    POOL_CALLED = "E0321", "The provider calls hosts of a tenant that share pool addresses."
    LAKE_IN_SHARED_SPACE = "W0301", "The lake is in shared address space (RFC 6598), which carriers and VPNs use."
    LAKE_IN_PRIVATE_SPACE = "W0302", "The lake is in private address space (RFC 1918), which tenants are likely to use."
    LAKE_IN_PUBLIC_SPACE = "W0303", "The lake is in public address space, which hosts on the Internet use."
    SOURCE_IN_PUBLIC_SPACE = "W0304", "The provider's source is in public address space outside of its networks."
    NAME_NOT_SERVED = "W0305", "A service has a domain name, and farshore answers no DNS queries."

    PORTS_NOT_CARRIED = "E0401", "A service has ports that its design does not carry."
    CALLER_IDENTITY_LOST = "E0402", "A service expects the caller's identity and has a design that does not pass it on."
    CALLS_NOT_CARRIED = "E0403", "The provider calls a tenant, and its design does not carry calls."
    SESSIONS_OVERSUBSCRIBED = "W0401", "Tenants may have more sessions together than the box that they share can hold."
    PORT_ALONE_NOT_ENOUGH = "W0402", "A port is listed of a protocol that needs more than this port to pass."

    SERVICES_FULL = "E0501", "The part of the lake that is reserved for services is full."
    LAKE_FULL = "E0502", "The lake has too few addresses for the tenants' networks."
    SOURCE_FULL = "E0503", "The provider's source has too few addresses for the tenants' networks."
    PRESENTED_FULL = "E0504", "A tenant's presented range has too few addresses for services and callers."
    TOO_FEW_PORTS = "E0505", "A pool leaves each host too few ports."

    def __init__(self, number: str, meaning: str) -> None:
        """Keep number and meaning as attributes."""
        self.number = number
        self.meaning = meaning

    def __str__(self) -> str:
        """Return the code as messages show it, such as ``E0211``."""
        return self.number

    @property
    def group(self) -> CodeGroup:
        """Return what faults of this code are about."""
        return tuple(CodeGroup)[int(self.number[1:3])]
