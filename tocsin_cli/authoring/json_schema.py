"""The JSON Schema of a signature file, for editors; from the same definition that reading it uses."""

from __future__ import annotations

from typing import Any

from tocsin.core.expressions import MAX_EXPRESSION_LENGTH
from tocsin.core.signatures.absence_rule import FORBIDDEN_KEYS
from tocsin.core.signatures.reader import ID, KEYS, REQUIRED, Key

_STRINGS = {"type": "array", "items": {"type": "string", "minLength": 1}}
_DURATION = {"type": ["string", "number"], "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)?$"}


def signature_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) that a file of ``signatures/`` fulfils as parsed TOML."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tocsin signatures",
        "description": "Each table is a signature: a reviewed rule for one known failure, with its proof.",
        "type": "object",
        "patternProperties": {f"^{ID.pattern}$": {"$ref": "#/$defs/signature"}},
        "additionalProperties": False,
        "$defs": {
            "signature": {
                "type": "object",
                "properties": {name: _property(key) for name, key in KEYS.items()},
                "required": list(REQUIRED),
                "additionalProperties": False,
                "if": {"properties": {"source": {"const": "alarm"}}, "required": ["source"]},
                "then": {
                    "required": ["alarm"],
                    "not": {
                        "anyOf": [{"required": ["any"]}, {"required": ["not"]}, {"required": ["absence"]}]
                    },
                },
                "else": {
                    "required": ["any"],
                    "not": {"required": ["alarm"]},
                    "if": {"properties": {"source": {"const": "absence"}}, "required": ["source"]},
                    "then": {
                        "required": ["absence", "scope"],
                        "not": {"anyOf": [{"required": [key]} for key in FORBIDDEN_KEYS]},
                    },
                    "else": {"not": {"required": ["absence"]}},
                },
            }
        },
    }


def _property(key: Key) -> dict[str, Any]:
    return {"description": key.meaning, **_kind(key)}


def _kind(key: Key) -> dict[str, Any]:
    match key.kind:
        case "text":
            return {"type": "string", "minLength": 1, "maxLength": key.most}
        case "choice":
            return {"enum": [str(choice) for choice in key.choices or ()]}
        case "strings":
            return dict(_STRINGS)
        case "expressions":
            items = {"type": "string", "minLength": 1, "maxLength": MAX_EXPRESSION_LENGTH}
            return {"type": "array", "items": items}
        case "samples":
            return {"type": "array", "minItems": 1, "items": {"type": ["string", "object"]}}
        case "flag":
            return {"type": "boolean"}
        case "duration":
            return dict(_DURATION)
        case "table" | "fields":
            inner: dict[str, Any] = {
                "strings": {"anyOf": [dict(_STRINGS), {"type": "string", "minLength": 1}]},
                "expressions": _kind(Key("", "expressions")),
                "number": {"type": "integer", "minimum": 1},
                "duration": dict(_DURATION),
            }
            properties = {name: inner[kind] for name, kind in key.keys.items()}
            others = inner["strings"] if key.kind == "fields" else False
            return {"type": "object", "properties": properties, "additionalProperties": others}
    raise AssertionError(key.kind)
