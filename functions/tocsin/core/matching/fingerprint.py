"""What makes two occurrences the same alert."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from tocsin.core.signatures.signature import Signature

# Parts of a value that differ between two occurrences of one fault. Ordered: the longer shape first.
_VARYING = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<uuid>"),
    (re.compile(r"\b(?:0x)?[0-9a-f]{16,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,]*(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d+(?:\.\d+)*\b"), "<n>"),
)


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
    parts = [
        signature.id,
        service,
        *(f"{name}={normalise(fields.get(name, ''))}" for name in signature.group_by),
    ]
    if alarm:
        parts.append(f"alarm:{alarm}")
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def normalise(value: str) -> str:
    """Replace what varies between occurrences of one fault (ids, numbers, times) and fold white space."""
    for pattern, replacement in _VARYING:
        value = pattern.sub(replacement, value)
    return " ".join(value.split())
