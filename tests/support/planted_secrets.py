"""Secrets and personal data as strangers would plant them in log lines: the list that recall is measured on.

In ``fixtures/planted_secrets.jsonl`` each secret stands between ⟦ and ⟧; ¦ parts what would look like a real
credential to a scanner of repositories and is taken out. Each round was written in one go before anybody looked how the
rules did on it; the second after the rules had been fixed by the first. Where a line has ``missed``, its secret is known
to survive, for the reason given.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parents[1] / "fixtures" / "planted_secrets.jsonl"
_SECRET = re.compile("⟦([^⟧]*)⟧")
_MARKER = re.compile(r"\[REDACTED:[\w\-]+\]")
_SHORTEST_PART = 8


class Plant(NamedTuple):
    """One line.

    Attributes:
        round: ``first`` or ``second``.
        kind: What family the secret is of.
        line: The log line, as an application would write it.
        secrets: What nobody may see of it.
        missed: Why it is known to survive; empty where it must not.
    """

    round: str
    kind: str
    line: str
    secrets: tuple[str, ...]
    missed: str = ""


def planted() -> list[Plant]:
    """All lines, in the order of the file."""
    plants = []
    for text in FILE.read_text("utf-8").splitlines():
        entry = json.loads(text)
        marked = entry["line"].replace("¦", "")
        plants.append(
            Plant(
                entry["round"],
                entry["kind"],
                _SECRET.sub(r"\1", marked),
                tuple(_SECRET.findall(marked)),
                entry.get("missed", ""),
            )
        )
    return plants


def surviving(secret: str, text: str) -> str:
    """A part of the secret, eight characters or all of a shorter one, that a text still shows; empty when none."""
    text = _MARKER.sub("\0", text)
    size = min(_SHORTEST_PART, len(secret))
    return next((part for i in range(len(secret) - size + 1) if (part := secret[i : i + size]) in text), "")
