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
from collections.abc import Iterator, Mapping
from typing import Any, Final

import re2

from tocsin.core.expressions import MAX_EXPRESSION_LENGTH, MAX_PROGRAM_SIZE, re2_options
from tocsin.core.problems import Problem
from tocsin.core.redaction.key_values import Span
from tocsin.core.redaction.redact import hidden_by
from tocsin.core.redaction.rule import Rule
from tocsin.core.redaction.rules import RULES, sensitive_key

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


def read_redaction(table: Mapping[str, Any], file: str) -> tuple[tuple[Rule, ...], list[Problem]]:
    """Read the table ``redaction``.

    Args:
        table: What TOML made of it.
        file: The file it stands in, for the problems.

    Returns:
        The rules, and what is wrong with them. Only without a problem are the rules fit to be used.
    """
    problems: list[Problem] = []
    rules: list[Rule] = []
    makers = {"keys": _by_key, "expressions": _by_expression}
    for kind, entries in table.items():
        where = f"redaction.{kind}"
        if kind not in makers:
            problems.append(Problem(file, where, f"unknown key; known are {', '.join(makers)}"))
        elif not isinstance(entries, dict):
            problems.append(Problem(file, where, f"must be a table, is {entries!r}"))
        else:
            for name, entry in entries.items():
                wrong = _Wrong(file, f"{where}.{name}", problems)
                if not isinstance(entry, dict):
                    wrong("", f"must be a table, is {entry!r}")
                    continue
                rule = makers[kind](name, entry, wrong)
                if rule:
                    _prove(rule, entry, wrong, keeps_needed=kind == "expressions")
                    rules.append(rule)
    if len(rules) > MAX_RULES:
        problems.append(Problem(file, "redaction", f"has {len(rules)} rules, more than {MAX_RULES}"))
    return tuple(rules), problems


class _Wrong:
    """Says what is wrong with one rule."""

    def __init__(self, file: str, where: str, problems: list[Problem]) -> None:
        self._file, self._where, self._problems = file, where, problems

    def __call__(self, key: str, reason: str) -> None:
        self._problems.append(Problem(self._file, f"{self._where}.{key}" if key else self._where, reason))


def _by_key(name: str, entry: Mapping[str, Any], wrong: _Wrong) -> Rule | None:
    _unknown(entry, PROOF, wrong)
    if not _KEY_NAME.fullmatch(name) or not _SHORTEST_KEY <= len(name) <= _MAX_NAME_LENGTH:
        wrong("", "must be a key's name: letters and digits, parted by _ - . or a blank, 3 to 60 characters")
        return None
    shown = "-".join(re.findall("[a-z0-9]+", name.lower()))
    word = re.sub(r"[_\- ]", "_", name.lower())
    return sensitive_key(shown, f"Values of `{name}`", (word,), whole=True)


def _by_expression(name: str, entry: Mapping[str, Any], wrong: _Wrong) -> Rule | None:
    _unknown(entry, ("expression", *PROOF), wrong)
    if not _RULE_NAME.fullmatch(name) or len(name) > _MAX_NAME_LENGTH:
        wrong("", "a rule has a kebab-case name of at most 60 characters")
        return None
    if any(rule.name == name for rule in RULES):
        wrong("", "is the name of a rule that is built in")
    compiled = _compiled(entry.get("expression"), wrong)
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


def _compiled(expression: object, wrong: _Wrong) -> re2._Regexp | None:
    if not isinstance(expression, str) or not expression:
        wrong("expression", "must be an RE2 expression")
        return None
    if len(expression) > MAX_EXPRESSION_LENGTH:
        wrong("expression", f"longer than {MAX_EXPRESSION_LENGTH} characters")
        return None
    try:
        compiled = re2.compile(expression, re2_options())
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        wrong("expression", f"not an RE2 expression: {reason}")
        return None
    if compiled.search(""):
        wrong("expression", "matches the empty text, so it would hide nothing everywhere")
        return None
    if compiled.programsize > MAX_PROGRAM_SIZE:
        wrong("expression", f"costs {compiled.programsize} RE2 instructions, more than {MAX_PROGRAM_SIZE}")
        return None
    return compiled


def _unknown(entry: Mapping[str, Any], known: tuple[str, ...], wrong: _Wrong) -> None:
    for key in entry:
        if key not in known:
            wrong(key, f"unknown key; known are {', '.join(known)}")


def _prove(rule: Rule, entry: Mapping[str, Any], wrong: _Wrong, *, keeps_needed: bool) -> None:
    """Try the samples: the rule by itself must find something in each of ``hides``, and nothing in ``keeps``."""
    for key, needed in (("hides", True), ("keeps", keeps_needed)):
        samples = entry.get(key, [])
        if not isinstance(samples, list) or not all(isinstance(one, str) and one for one in samples):
            wrong(key, "must be a list of log lines")
        elif needed and not samples:
            wrong(key, "needs at least one sample: a rule without proof does not load")
        else:
            for number, sample in enumerate(samples):
                found = bool(hidden_by((rule,), sample))
                if found != (key == "hides"):
                    wrong(
                        f"{key}[{number}]",
                        f"is {'' if found else 'not '}hidden{', though it must not be' if found else ''}",
                    )
