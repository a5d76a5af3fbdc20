"""farshore: tenants with the same addresses reach a provider's shared services.

It translates twice, over a lake of addresses that no other network uses. Data flows one way:
intent, plan, design, fabric, and from the fabric into the engine and the lab.
"""

__version__ = "0.1.0"
