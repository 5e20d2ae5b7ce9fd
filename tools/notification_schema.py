"""``docs/notification.schema.json``, from the types of ``core/notifications/contract.py``.

Run: ``python -m tools.notification_schema`` from the root of the repository.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from tocsin.core.notifications.contract import Notification

PAGE = Path(__file__).resolve().parents[1] / "docs" / "notification.schema.json"
HEAD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://github.com/tocsin-alerts/tocsin/blob/main/docs/notification.schema.json",
    "title": "Tocsin notification",
    "description": " ".join((inspect.getdoc(Notification) or "").split()),
}


def notification_schema() -> dict[str, Any]:
    """The contract as JSON Schema; the notification stands at its top, its parts in ``$defs``."""
    (whole,), parts = msgspec.json.schema_components([Notification], ref_template="#/$defs/{name}")
    top = parts.pop(whole["$ref"].rpartition("/")[2])
    return {**top, **HEAD, "$defs": dict(sorted(parts.items()))}


def page() -> str:
    """The file's content."""
    schema = notification_schema()
    return json.dumps({**HEAD, **schema}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE}")
