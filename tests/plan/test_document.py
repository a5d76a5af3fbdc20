from __future__ import annotations

import json

from plan_builders import intent, tenant

from farshore.plan.allocate import allocate
from farshore.plan.document import document


def test_the_document_of_each_mode() -> None:
    wanted = intent(
        tenant(
            "a",
            {"10.1.1.0/24": "prefix", "10.1.2.0/24": "host", "10.2.0.0/16": 66, "10.1.3.0/24": "host"},
            ("10.1.1.1", "10.1.2.9", "10.2.0.1", "10.2.3.226"),
            {"service-2": None, "service-1": "10.2.2.1"},
        ),
        tenant("b", {"10.1.1.0/24": "prefix"}),
        source=("10.250.0.0/16",),
        services=2,
    )
    plan = allocate(wanted).plan
    assert plan is not None
    found = document(wanted, plan)
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "lake": "100.64.0.0/10",
        "services": {
            "service-1": {"address": "10.1.1.1", "lake": "100.64.0.1"},
            "service-2": {"address": "10.1.1.2", "lake": "100.64.0.2"},
        },
        "tenants": {
            "a": {
                "presents": {"service-2": "10.2.2.2", "service-1": "10.2.2.1"},
                "sources": [
                    {
                        "network": "10.1.1.0/24",
                        "mode": "prefix",
                        "lake": ["100.65.0.0/24"],
                        "provider": ["10.250.0.0/24"],
                        "hosts": {"host-10.1.1.1": "100.65.0.1"},
                    },
                    {
                        "network": "10.1.2.0/24",
                        "mode": "host",
                        "lake": ["100.65.1.0/32"],
                        "provider": ["10.250.1.0/32"],
                        "hosts": {"host-10.1.2.9": "100.65.1.0"},
                    },
                    {
                        "network": "10.2.0.0/16",
                        "mode": "pool",
                        "lake": ["100.65.1.128/26", "100.65.1.192/31"],
                        "provider": ["10.250.1.64/26", "10.250.1.2/31"],
                        "ports_per_host": 64,
                        "hosts": {
                            "host-10.2.0.1": {"address": "100.65.1.128", "ports": [1088, 1151]},
                            "host-10.2.3.226": {"address": "100.65.1.129", "ports": [1088, 1151]},
                        },
                    },
                    {"network": "10.1.3.0/24", "mode": "host", "lake": [], "hosts": {}},
                ],
            },
            "b": {
                "presents": {},
                "sources": [
                    {
                        "network": "10.1.1.0/24",
                        "mode": "prefix",
                        "lake": ["100.65.2.0/24"],
                        "provider": ["10.250.2.0/24"],
                        "hosts": {},
                    }
                ],
            },
        },
    }
