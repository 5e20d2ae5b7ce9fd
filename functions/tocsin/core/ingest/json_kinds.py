"""What a value read from JSON is, in the words of an error: the kind and never the value, which may be log text."""

from __future__ import annotations

_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    type(None): "missing or null",
}


def kind_of(value: object) -> str:
    """Name the kind of a JSON value: ``an object``, ``a list``, ``text``, ``a number`` ..."""
    return _NAMES.get(type(value), "a number")
