"""Intent files of any size, for measuring."""

from __future__ import annotations

SERVICE_PORTS = ("[tcp/443, icmp]", "[tcp/80, tcp/443]", "[udp/53, tcp/53]", "[udp/123]")


def many_tenants(count: int, services: int = 8) -> str:
    """Return an intent in which every tenant has the same networks, and all use all services."""
    names = [f"service-{number}" for number in range(1, services + 1)]
    lines = [
        "version: 1",
        "provider:",
        "  name: acme",
        "  networks: [10.1.1.0/24]",
        "  services:",
        *(
            f"    {name}: {{address: 10.1.1.{number}, ports: {SERVICE_PORTS[number % len(SERVICE_PORTS)]}}}"
            for number, name in enumerate(names, start=1)
        ),
        "tenants:",
    ]
    for number in range(1, count + 1):
        lines += [
            f"  tenant-{number:05}:",
            "    networks: [10.1.1.0/24]",
            "    presents: 10.2.2.0/28",
            "    sources: prefix",
            f"    services: [{', '.join(names)}]",
            "    hosts: {alice: 10.1.1.1}",
        ]
    return "\n".join(lines) + "\n"
