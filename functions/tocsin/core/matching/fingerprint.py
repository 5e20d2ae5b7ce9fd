"""What makes two occurrences the same alert."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache

from tocsin.core.lazy_expressions import lazy
from tocsin.core.signatures.signature import Signature

# Parts of a value that differ between two occurrences of one fault. Ordered: the longer shape first.
_VARYING = (
    (lazy(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<uuid>"),
    (lazy(r"\b(?:0x)?[0-9a-f]{16,}\b", re.IGNORECASE), "<hex>"),
    (lazy(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,]*(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (lazy(r"\b\d+(?:\.\d+)*\b"), "<n>"),
)

# In the words of a crash, also what was quoted, addresses, paths, and every word with a digit in it.
_VARYING_IN_WORDS = (
    (lazy(r"[\"'`][^\"'`\n]{0,120}[\"'`]"), "<text>"),
    (lazy(r"\b[a-z]+://\S+"), "<address>"),
    (lazy(r"\S+@\S+"), "<mail>"),
    (lazy(r"(?:/[\w.@-]+){2,}/?"), "<path>"),
    (lazy(r"\S*\d\S*"), "<n>"),
)
WORDS = "message"
"""The field that holds the words of a crash."""
MAX_REMEMBERED = 500
"""Values of which a process remembers what they come to: in a storm they are the same in batch after batch."""


def masked_fields(fields: Mapping[str, str]) -> Mapping[str, str]:
    """The fields with that masked in the words of a crash that differs between two occurrences of one fault."""
    if WORDS not in fields:
        return fields
    return {**fields, WORDS: masked_words(fields[WORDS])}


@lru_cache(MAX_REMEMBERED)
def masked_words(text: str) -> str:
    """The words of a crash without what varies; deterministic, so that any process comes to the same."""
    for pattern, replacement in _VARYING_IN_WORDS:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def fingerprint(signature: Signature, service: str, fields: Mapping[str, str], *, alarm: str = "") -> str:
    """Name the alert an occurrence belongs to: signature, service and its ``group_by`` fields, normalised.

    Args:
        signature: The signature that matched.
        service: The service it happened in.
        fields: The captured fields, redacted: a secret must not reach even a hash of few possible values.
        alarm: The alarm's name, taken as it is: each alarm has an OK of its own, and what differs only in a number
            (``worker-1-dlq``, ``worker-2-dlq``) is another alarm.

    Returns:
        16 hexadecimal characters.
    """
    fields = masked_fields(fields) if signature.catch_all else fields
    parts = [
        signature.id,
        service,
        *(f"{name}={normalise(fields.get(name, ''))}" for name in signature.group_by),
    ]
    if alarm:
        parts.append(f"alarm:{alarm}")
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


@lru_cache(MAX_REMEMBERED)
def normalise(value: str) -> str:
    """Replace what varies between occurrences of one fault (ids, numbers, times) and fold white space."""
    for pattern, replacement in _VARYING:
        value = pattern.sub(replacement, value)
    return " ".join(value.split())
