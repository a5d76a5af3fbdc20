"""The JSON Schema of the intent file, for editors."""

from __future__ import annotations

from typing import Any

from farshore.intent.schema_models import IntentFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema of the whole file, made from the very models that read it."""
    schema = _tidy(IntentFile.model_json_schema(mode="validation"))
    assert isinstance(schema, dict)  # noqa: S101 - a dict was put in
    return {"$schema": DIALECT, **schema, "title": "farshore intent"}


def _tidy(node: Any) -> Any:
    """Take out what pydantic adds and an editor would show, and close mappings whose keys are names."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "properties" in node:
        tidied = {key: _tidy(value) for key, value in node.items() if key != "properties"}
        tidied["properties"] = {key: _tidy(_optional(value)) for key, value in node["properties"].items()}
        return tidied
    tidied = {key: _tidy(value) for key, value in node.items()}
    if "patternProperties" in node or "propertyNames" in node:
        tidied.setdefault("additionalProperties", False)
    return tidied


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key. A key that may be left out may not be null for that, and pydantic says it may."""
    kept = {key: value for key, value in schema.items() if key != "title" and not (key == "default" and value is None)}
    choices = kept.get("anyOf", [])
    if {"type": "null"} in choices:
        del kept["anyOf"]
        (only,) = (choice for choice in choices if choice != {"type": "null"})
        kept = {**only, **kept}
    return kept
