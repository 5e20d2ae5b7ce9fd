"""Where a log event or an alarm comes from, when that is not where Tocsin runs.

Logs that CloudWatch gathers in one central account arrive under the central log group; where each event was written
stands in its system fields (``emitSystemFields`` of a subscription filter): ``@aws.account``, ``@aws.region`` and
``@source.log``. CloudWatch writes these, never the log text, which stands in ``message``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tocsin.core.lazy_expressions import lazy
from tocsin.core.model import Origin

ACCOUNT: Final = lazy(r"\d{12}")
REGION: Final = lazy(r"[a-z]{2,4}(-[a-z]+)+-\d+")
SYSTEM_FIELDS: Final = (b"@aws.account", b"@aws.region", b"@source.log")
_ACCOUNT_AND_GROUP: Final = lazy(r"(\d{12}):(.+)", re.DOTALL)
_MAX_LOG_GROUP: Final = 512


def may_have_origins(raw: bytes) -> bool:
    """Whether an inflated envelope may hold events of other log groups: False is certain."""
    return any(name in raw for name in SYSTEM_FIELDS)


def origin_of(entry: Mapping[str, Any]) -> Origin:
    """What the system fields of a log event say; what is no account, Region or log group is passed over."""
    fields = entry.get("extractedFields")
    if not isinstance(fields, dict):
        return Origin()
    account, region, log_group = (_text(fields.get(name.decode())) for name in SYSTEM_FIELDS)
    if found := _ACCOUNT_AND_GROUP.fullmatch(log_group):
        log_group = found[2]
        account = account or found[1]
    return Origin(
        account if ACCOUNT.fullmatch(account) else "",
        region if REGION.fullmatch(region) else "",
        log_group if len(log_group) <= _MAX_LOG_GROUP else "",
    )


def elsewhere(origin: Origin, home: Origin) -> str:
    """What is shown of an origin's account and Region: as much of it as is not home's, ``111122223333 eu-west-1``.

    Args:
        origin: Where something happened.
        home: Where Tocsin runs. What is not known of either is taken to be the same.
    """
    pairs = ((origin.account, home.account, ACCOUNT), (origin.region, home.region, REGION))
    return " ".join(
        value
        for value, own, expression in pairs
        if own and value not in ("", own) and expression.fullmatch(value)
    )


def _text(value: object) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
