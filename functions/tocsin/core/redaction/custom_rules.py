r"""Rules of redaction of one's own: the table ``[redaction]`` of ``tocsin.toml``, with the proof of each.

    [redaction.keys.badge_number]
    hides = ["badge_number=B-1234 was refused"]

    [redaction.expressions.employee-id]
    expression = '\bEMP-\d{6}\b'
    hides      = ["employee EMP-123456 not found"]
    keeps      = ["EMP-1 is a ticket"]

All is checked wherever it is read, at cold start too, so that a rule that does not do what it promises never runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import re2

from tocsin.core.expressions import checked_expression
from tocsin.core.redaction.key_values import Span
from tocsin.core.redaction.redact import hidden_by
from tocsin.core.redaction.rule import Rule
from tocsin.core.redaction.rules import RULES, sensitive_key
from tocsin.core.table_reader import TableReader

PROOF: Final = ("hides", "keeps")
"""What every rule has: samples that it must hide something in, and samples that it must not."""

MAX_RULES: Final = 50
"""More would be felt in every line that matches."""

MAX_FINDS: Final = 200
"""Of one expression in one text."""

_KEY_NAME: Final = re.compile(r"[A-Za-z0-9]+(?:[_\-. ][A-Za-z0-9]+){0,9}")
_RULE_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){0,9}")
_MAX_NAME_LENGTH: Final = 60
_SHORTEST_KEY: Final = 3


def read_redaction(given: TableReader) -> tuple[Rule, ...]:
    """Read the table ``redaction``, ``strict`` apart; only where it is without a problem are the rules fit to be used."""
    makers = {"keys": _by_key, "expressions": _by_expression}
    given.only(("strict", *makers))
    rules: list[Rule] = []
    for kind, maker in makers.items():
        for name, entry in given.subtable(kind).subtables():
            rule = maker(name, entry)
            if rule:
                _prove(rule, entry, keeps_needed=kind == "expressions")
                rules.append(rule)
    if len(rules) > MAX_RULES:
        given.wrong("", f"has {len(rules)} rules, more than {MAX_RULES}")
    return tuple(rules)


def _by_key(name: str, entry: TableReader) -> Rule | None:
    entry.only(PROOF)
    if not _KEY_NAME.fullmatch(name) or not _SHORTEST_KEY <= len(name) <= _MAX_NAME_LENGTH:
        entry.wrong(
            "", "must be a key's name: letters and digits, parted by _ - . or a blank, 3 to 60 characters"
        )
        return None
    shown = "-".join(re.findall("[a-z0-9]+", name.lower()))
    word = re.sub(r"[_\- ]", "_", name.lower())
    return sensitive_key(shown, f"Values of `{name}`", (word,), whole=True)


def _by_expression(name: str, entry: TableReader) -> Rule | None:
    entry.only(("expression", *PROOF))
    if not _RULE_NAME.fullmatch(name) or len(name) > _MAX_NAME_LENGTH:
        entry.wrong("", "a rule has a kebab-case name of at most 60 characters")
        return None
    if any(rule.name == name for rule in RULES):
        entry.wrong("", "is the name of a rule that is built in")
    compiled = _compiled(entry)
    if compiled is None:
        return None
    group = compiled.groupindex.get("hide", 0)

    def search(text: str) -> Iterator[Span]:
        # A search is linear in the text, so many of them are not: after enough finds the rest is hidden unread.
        for number, found in enumerate(compiled.finditer(text)):
            if number == MAX_FINDS:
                yield found.start(), len(text)
                return
            span = found.span(group)
            if span[0] >= 0:
                yield span

    return Rule(name, f"`{compiled.pattern}`", (), "", search=search)


def _compiled(entry: TableReader) -> re2._Regexp | None:
    expression = entry.table.get("expression")
    if not isinstance(expression, str) or not expression:
        entry.wrong("expression", "must be an RE2 expression")
        return None
    empty = "matches the empty text, so it would hide nothing everywhere"
    compiled, problems = checked_expression(expression, empty)
    for reason in problems:
        entry.wrong("expression", reason)
    return None if problems else compiled


def _prove(rule: Rule, entry: TableReader, *, keeps_needed: bool) -> None:
    """Try the samples: the rule by itself must find something in each of ``hides``, and nothing in ``keeps``."""
    for key, needed in (("hides", True), ("keeps", keeps_needed)):
        samples = entry.strings(key, "log lines")
        if needed and not entry.table.get(key):
            entry.wrong(key, "needs at least one sample: a rule without proof does not load")
        for number, sample in enumerate(samples):
            found = bool(hidden_by((rule,), sample))
            if found != (key == "hides"):
                but = ", though it must not be" if found else ""
                entry.wrong(f"{key}[{number}]", f"is {'' if found else 'not '}hidden{but}")
