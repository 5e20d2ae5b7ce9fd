"""docs/notification.md says what the code does: its examples are made by it, its tables name every key.

To make the examples again: ``TOCSIN_WRITE_DOCS=1 python -m pytest tests/unit/test_notification_page.py``.
"""

import json
import os
import re
from pathlib import Path

from sample_incidents import DLQ, IMPORT_ERROR, RUNBOOKS, SIGNATURES, incident, pending

from tocsin.core.model import Reason
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import document_of
from tocsin.core.notifications.email import email_subject, email_text
from tools.notification_schema import page as schema_page

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "notification.md"
SCHEMA = json.loads((DOCS / "notification.schema.json").read_text("utf-8"))
EXAMPLE = build_notification(
    incident(IMPORT_ERROR, DLQ), pending(Reason.OPENED, IMPORT_ERROR), SIGNATURES, runbooks_url=RUNBOOKS
)


def between(page, begin, end, language, text):
    pattern = re.compile(rf"(<!-- {begin}.*?-->\n```{language}\n).*?(```\n<!-- {end} -->)", re.DOTALL)
    assert pattern.search(page)
    return pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


def test_the_examples_are_what_the_code_makes():
    page = PAGE.read_text()
    made = between(
        page,
        "example",
        "end of example",
        "json",
        json.dumps(document_of(EXAMPLE), indent=2, ensure_ascii=False),
    )
    mail = f"Subject: {email_subject(EXAMPLE)}\n\n{email_text(EXAMPLE)}"
    made = between(made, "e-mail", "end of e-mail", "text", mail)
    if os.environ.get("TOCSIN_WRITE_DOCS"):
        PAGE.write_text(made)
        page = made
    assert page == made


def part(schema):
    """What a reference leads to; of what may be null, the other."""
    inner = next((each for each in schema.get("anyOf", []) if each.get("type") != "null"), schema)
    return SCHEMA["$defs"][inner["$ref"].rpartition("/")[2]] if "$ref" in inner else inner


def keys(schema, path=""):
    for key, inner in schema.get("properties", {}).items():
        here = f"{path}.{key}".lstrip(".")
        if inner.get("type") == "array":
            yield here + "[]"
            yield from keys(part(inner["items"]), here + "[]")
        elif part(inner).get("properties") and key not in {"links", "source"} | NULLABLE:
            yield from keys(part(inner), here)
        else:
            yield here


NULLABLE = {"threshold", "likely_cause", "queue", "test_mode"}
"""Parts that the table explains in one row."""


def test_every_key_is_explained():
    page = PAGE.read_text()
    table = page[page.index("## The keys") : page.index("### Reasons")]
    for key in keys(SCHEMA):
        last = key.rpartition(".")[2]
        assert f"`{key}`" in table or f"`.{last}`" in table, key


def test_the_schema_is_made_of_the_types():
    """To write it again: ``python -m tools.notification_schema``."""
    assert (DOCS / "notification.schema.json").read_text("utf-8") == schema_page()


def test_every_reason_is_explained():
    page = PAGE.read_text()
    assert re.findall(
        r"^\| `(\w+)` \|", page[page.index("### Reasons") : page.index("### Size")], re.MULTILINE
    ) == list(Reason)
