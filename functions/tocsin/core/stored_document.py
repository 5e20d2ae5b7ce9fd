"""Values as the JSON documents the table keeps: compact, and readable by older and newer versions.

A key that is missing has its field's default, and a key that only a newer version knows is passed over.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


def dump_document(value: object) -> str:
    """Write a value as compact JSON."""
    return msgspec.json.encode(value).decode()


def load_document(text: str, kind: type[T]) -> T:
    """Read a value that ``dump_document`` wrote.

    Raises:
        ValueError: It is not one, or holds what only a newer version knows.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a {kind.__name__.lower()} document: {error}") from error
