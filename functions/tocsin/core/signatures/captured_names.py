"""The names of all fields that alerts may have, as signatures capture them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tocsin.core.signatures.reader import ALARM_FIELDS, TRACEBACK_FIELDS
from tocsin.core.signatures.signature import Signature

_NAMED_GROUP = re.compile(r"\(\?P?<(\w+)>")


def captured_names(signatures: Iterable[Signature]) -> frozenset[str]:
    """Named groups of expressions, fields of structured lines, and what alarms and crashes have."""
    names = {*ALARM_FIELDS, *TRACEBACK_FIELDS}
    for signature in signatures:
        names |= {name for expression in signature.any for name in _NAMED_GROUP.findall(expression)}
        names |= set(signature.fields) - {"level"}
    return frozenset(names)
