"""The JSON Schema that editors use says the same as the reader."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from farshore.cli.handbook import schema as schema_command
from farshore.intent.read.schema_models import json_schema

GOOD = sorted((Path(__file__).parents[3] / "examples").glob("**/*.yaml"))
BAD = Path(__file__).parents[1] / "bad"
# Faults of structure, not of addresses: these an editor can mark.
BAD_STRUCTURE = (
    *("030-only-version", "031-missing-keys", "032-unknown-top-key", "034-unknown-service-key", "036-unknown-limit"),
    *("037-unknown-pool-key", "039-version-two", "046-provider-is-a-word", "047-nulls", "048-empty-containers"),
    *("049-services-as-list", "051-values-missing", "052-lists-for-values", "053-values-for-lists", "054-names"),
    *("131-unknown-design", "132-single-nat-as-design", "133-service-design-lake", "134-proxy-protocol-version"),
    *("135-proxy-protocol-misspelt", "138-two-caller-identities", "140-signed-header-without-file", "143-rate-zero"),
    *("150-host-reserved-name", "152-reaches-without-ports", "157-reaches-is-a-mapping", "161-reaches-misspelt-keys"),
    *("162-hosts-with-bad-values", "168-design-has-no-value"),
    *("060-netmasks", "061-leading-zeros", "065-everything", "069-ports", "083-limits-zero", "090-pool-size"),
)


KINDS = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}
SAYS_NOTHING = frozenset({"$schema", "$defs", "title", "description", "default", "examples"})


class Judge:
    """Judges values by the few keywords that the schema uses; any other keyword is a fault of this test."""

    def __init__(self) -> None:
        self.root = json_schema()

    def accepts(self, node: dict[str, Any], value: Any) -> bool:
        return all(
            getattr(self, "_" + key.removeprefix("$"))(wanted, value, node)
            for key, wanted in node.items()
            if key not in SAYS_NOTHING
        )

    def _ref(self, wanted: str, value: Any, _node: dict[str, Any]) -> bool:
        return self.accepts(self.root["$defs"][wanted.removeprefix("#/$defs/")], value)

    def _type(self, wanted: str, value: Any, _node: dict[str, Any]) -> bool:
        return isinstance(value, KINDS[wanted]) and not isinstance(value, bool)

    def _const(self, wanted: Any, value: Any, _node: dict[str, Any]) -> bool:
        return value == wanted and type(value) is type(wanted)

    def _enum(self, wanted: list[Any], value: Any, _node: dict[str, Any]) -> bool:
        return value in wanted

    def _not(self, wanted: dict[str, Any], value: Any, _node: dict[str, Any]) -> bool:
        return not self.accepts(wanted, value)

    def _pattern(self, wanted: str, value: Any, _node: dict[str, Any]) -> bool:
        return not isinstance(value, str) or re.search(wanted, value) is not None

    def _minLength(self, wanted: int, value: Any, _node: dict[str, Any]) -> bool:  # noqa: N802 - the keyword's name
        return not isinstance(value, str) or len(value) >= wanted

    def _maxLength(self, wanted: int, value: Any, _node: dict[str, Any]) -> bool:  # noqa: N802 - the keyword's name
        return not isinstance(value, str) or len(value) <= wanted

    def _minimum(self, wanted: int, value: Any, _node: dict[str, Any]) -> bool:
        return not isinstance(value, int) or value >= wanted

    def _maximum(self, wanted: int, value: Any, _node: dict[str, Any]) -> bool:
        return not isinstance(value, int) or value <= wanted

    def _items(self, wanted: dict[str, Any], value: Any, _node: dict[str, Any]) -> bool:
        return not isinstance(value, list) or all(self.accepts(wanted, each) for each in value)

    def _minItems(self, wanted: int, value: Any, _node: dict[str, Any]) -> bool:  # noqa: N802 - the keyword's name
        return not isinstance(value, list) or len(value) >= wanted

    def _minProperties(self, wanted: int, value: Any, _node: dict[str, Any]) -> bool:  # noqa: N802 - the keyword's name
        return not isinstance(value, dict) or len(value) >= wanted

    def _required(self, wanted: list[str], value: Any, _node: dict[str, Any]) -> bool:
        return not isinstance(value, dict) or set(wanted) <= set(value)

    def _oneOf(self, wanted: list[dict[str, Any]], value: Any, _node: dict[str, Any]) -> bool:  # noqa: N802 - the keyword's name
        return sum(self.accepts(each, value) for each in wanted) == 1

    def _anyOf(self, wanted: list[dict[str, Any]], value: Any, _node: dict[str, Any]) -> bool:  # noqa: N802 - the keyword's name
        return any(self.accepts(each, value) for each in wanted)

    def _properties(self, wanted: dict[str, Any], value: Any, _node: dict[str, Any]) -> bool:
        return not isinstance(value, dict) or all(self.accepts(wanted[k], value[k]) for k in wanted if k in value)

    def _patternProperties(self, wanted: dict[str, Any], value: Any, _node: dict[str, Any]) -> bool:  # noqa: N802 - the keyword's name
        return not isinstance(value, dict) or all(
            self.accepts(each, value[k]) for pattern, each in wanted.items() for k in value if re.search(pattern, k)
        )

    def _propertyNames(self, wanted: dict[str, Any], value: Any, _node: dict[str, Any]) -> bool:  # noqa: N802 - the keyword's name
        return not isinstance(value, dict) or all(self.accepts(wanted, k) for k in value)

    def _additionalProperties(self, wanted: bool, value: Any, node: dict[str, Any]) -> bool:  # noqa: N802 - the keyword's name
        assert wanted is False
        known, patterns = node.get("properties", {}), node.get("patternProperties", {})
        return not isinstance(value, dict) or all(
            k in known or any(re.search(pattern, k) for pattern in patterns) for k in value
        )


def plain(node: yaml.Node) -> Any:
    """Return a node as YAML 1.2 editors see it: keys always text, scalars by the core schema."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(each) for each in node.value]
    return yaml.SafeLoader("").construct_object(node, deep=True)


def judged(text: str) -> bool:
    judge = Judge()
    return judge.accepts(judge.root, plain(yaml.compose(text, Loader=yaml.SafeLoader)))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_it_accepts_good_files(path: Path) -> None:
    assert judged(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("sources", ["prefix", "host", "{pool: 4}", "{10.1.1.0/24: host}", "{10.1.1.0/24: {pool: 4}}"])
@pytest.mark.parametrize("services", ["[portal]", "{portal: 10.2.2.1}", "{portal: null}", "[]", "{}"])
def test_it_accepts_every_form(sources: str, services: str) -> None:
    text = (Path(__file__).parents[3] / "examples" / "article.yaml").read_text(encoding="utf-8")
    assert judged(text.replace("sources: prefix", f"sources: {sources}").replace("[portal]", services))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ports: [tcp/443, tcp/80, icmp]", "ports: [tcp/443]\n      proxy-protocol: v2\n      design: appliance"),
        ("ports: [tcp/443, tcp/80, icmp]", "ports: [tcp/443]\n      signed-header: keys/portal.key"),
        ("version: 1", "version: 1\ndesign: last-hop"),
        ("limits: {sessions: 50000}", "limits: {rate: 100}\n    design: lake"),
        ("  services:", "  hosts: {monitor: 10.1.1.9}\n  reaches: [{tenant: customer-a, ports: [icmp]}]\n  services:"),
    ],
)
def test_it_accepts_what_the_reader_accepts(old: str, new: str) -> None:
    text = (Path(__file__).parents[3] / "examples" / "article.yaml").read_text(encoding="utf-8")
    assert old in text
    text = text.replace(old, new, 1)
    assert judged(text)
    unknown = (new.replace("proxy-protocol", "proxy_protocol"), new.replace("signed-header", "signed_header"))
    assert all(judged(text.replace(new, other)) == (other == new) for other in unknown)


@pytest.mark.parametrize("name", BAD_STRUCTURE)
def test_it_refuses_bad_structure(name: str) -> None:
    assert not judged((BAD / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", ["lake:", "source:", "lake: ~"])
def test_a_key_that_may_be_left_out_may_not_be_null(line: str) -> None:
    text = (Path(__file__).parents[3] / "examples" / "article.yaml").read_text(encoding="utf-8")
    key = line.partition(":")[0]
    assert not judged(re.sub(f"^  {key}:.*$", f"  {line}", text, flags=re.MULTILINE))
    assert not judged(re.sub("dns: .*$", "dns: null", text, flags=re.MULTILINE))
    assert not judged(text.replace("sessions: 50000", "sessions: null"))


def test_every_key_is_described() -> None:
    root = json_schema()
    models = [root, *root["$defs"].values()]
    keys = {(model["title"], key): each for model in models for key, each in model["properties"].items()}
    assert len(keys) == 31
    assert [key for key, each in keys.items() if not each.get("description") or not each.get("examples")] == []
    assert all(model["additionalProperties"] is False and model["description"] for model in models)


def test_the_dialect_and_no_identity() -> None:
    root = json_schema()
    assert root["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert root["title"] == "farshore intent"
    assert '"$id"' not in json.dumps(root)
    assert '"default": null' not in json.dumps(root)


def test_the_command_prints_it() -> None:
    done = CliRunner().invoke(schema_command)
    assert done.exit_code == 0
    assert json.loads(done.stdout) == json_schema()
