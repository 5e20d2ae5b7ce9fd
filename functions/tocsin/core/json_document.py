"""Values as the JSON documents the table keeps: compact, and readable by older and newer versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def dump(data: Mapping[str, Any]) -> str:
    """Write a document as compact JSON."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def build(kind: type[T], data: Mapping[str, Any]) -> T:
    """Make a value of a document's entries; keys that only a newer version knows are passed over.

    Raises:
        ValueError: An entry is missing.
    """
    known = {each.name for each in fields(kind)}
    try:
        return kind(**{key: value for key, value in data.items() if key in known})
    except TypeError as error:
        raise ValueError(f"not a {kind.__name__.lower()} document: {error}") from error
