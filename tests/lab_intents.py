"""Intents of labs that more than one module of tests makes."""

# Several designs at once, everybody at the same address, and a host of the provider that calls one of them.
MIXED = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  hosts: {monitor: 10.1.1.50}
  reaches: [{tenant: customer-a, ports: [tcp/22, udp/161, icmp]}]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443, tcp/80], internet: 203.0.113.10}
    dns: {address: 10.1.1.53, ports: [udp/53, icmp]}
    news: {address: 10.1.1.2, ports: [tcp/80], proxy-protocol: v2, design: appliance}
tenants:
  customer-a:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, dns, news], hosts: {alice: 10.1.1.1}}
  customer-b:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, dns], hosts: {bill: 10.1.1.1}, design: last-hop}
  customer-c:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, news], hosts: {cy: 10.1.1.1}, design: appliance}
  customer-d:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, sources: {pool: 1}, services: [portal, news], hosts: {d: 10.1.1.1}}
"""
